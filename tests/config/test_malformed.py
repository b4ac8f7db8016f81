"""Every malformed edgetpu.yaml is refused with its file, line and key, and its own message."""

import pytest

from compiler.config.errors import ConfigError
from compiler.config.reader import parse_config, read_config

V1 = "version: 1\n"
MODELS = V1 + "models:\n  a: {src: a.tflite}\n  b: {src: b.tflite}\n"
DEVICES = "devices:\n  one: {runtime_version: 12}\n  two: {edge_tpus: 2}\n"
GROUP = "cocompile_groups:\n  g: {models: [a, b]}\n"

# (what, text, line, key, message); the line and the key are those of the first line of str(error).
CASES = [
    ("empty", "", 0, "", "the file is empty"),
    ("comment only", "# nothing\n", 0, "", "the file is empty"),
    ("no mapping", "- 1\n", 1, "", "must be a mapping that begins with 'version: 1' (found a list"),
    ("plain text", "models\n", 1, "", "must be a mapping that begins with 'version: 1' (found mo"),
    ("not closed", V1 + "models: {a: {src: a.tflite}\n", 3, "", "not YAML: expected ',' or '}'"),
    ("tab", V1 + "models:\n\ta: 1\n", 3, "", "not YAML: found character '\\t'"),
    ("control", V1 + "a: \x01\n", 2, "", "not YAML: special characters are not allowed"),
    ("not UTF-8", b"version: 1\nmodels: \xff\n", 2, "", "the file is not UTF-8 text"),
    ("two documents", V1 + "---\nversion: 1\n", 2, "", "only one document is allowed"),
    ("anchor", V1 + "devices:\n  a: &x {}\n", 3, "", "anchors and aliases are not supported (x)"),
    ("merge", V1 + "a: *x\n", 2, "", "anchors and aliases are not supported (x)"),
    ("tag", V1 + "models: !!python/object:os.system {}\n", 2, "", "tags are not supported"),
    ("deep", V1 + "models: " + "[" * 30 + "]" * 30, 2, "", "nested too deeply"),
    ("key not text", V1 + "1: {}\n", 2, "", "a key has to be text (found 1). Put it in quotes."),
    ("key a list", V1 + "? [a]\n: 1\n", 2, "", "a key has to be text (found a list)"),
    ("key twice", V1 + "version: 1\n", 2, "version", "given twice, first in line 1"),
    ("name twice", MODELS + "  a: {src: c.tflite}\n", 5, "models.a", "given twice, first in line"),
    ("no version", "models: {}\n", 1, "", "the key 'version' is missing. The file begins with"),
    ("version", "version: 2\n", 1, "version", "out of range (found 2, allowed 1 to 1)"),
    ("version text", 'version: "1"\n', 1, "version", "expected a whole number (found 1, allowed"),
    ("unknown section", V1 + "model: {}\n", 2, "model", "unknown key. Did you mean 'models'?"),
    ("unrelated section", V1 + "x: {}\n", 2, "x", "unknown key. Known keys: version, defaults,"),
    ("section a list", V1 + "models: []\n", 2, "models", "expected a mapping of keys to values"),
    ("section empty", V1 + "models:\n", 2, "models", "expected a mapping of keys to val"),
    ("entry text", V1 + "models:\n  a: a.tflite\n", 3, "models.a", "expected a mapping of keys"),
    ("entry name", V1 + "models:\n  a/b: {src: a.tflite}\n", 3, "models.a/b", "a name consists of"),
    ("no src", V1 + "models:\n  a: {timeout_sec: 3}\n", 3, "models.a", "the key 'src' is missing"),
    ("no value", V1 + "models:\n  a:\n    src:\n", 4, "models.a.src", "has no value"),
    ("unknown key", MODELS + "  c: {src: c.tflite, min_runtime: 12}\n", 5, "models.c.min_runtime",
     "unknown key. Did you mean 'min_runtime_version'?"),
    ("src number", V1 + "models:\n  a: {src: 5}\n", 3, "models.a.src", "expected a path (found 5)"),
    ("src empty", V1 + "models:\n  a: {src: ''}\n", 3, "models.a.src", "expected a path (found ''"),
    ("src suffix", V1 + "models:\n  a: {src: a.onnx}\n", 3, "models.a.src",
     "expected a .tflite file (found a.onnx)"),
    ("src outside", V1 + "models:\n  a: {src: ../a.tflite}\n", 3, "models.a.src",
     "the path must lead into the folder of this file"),
    ("src absolute", V1 + "models:\n  a: {src: /a.tflite}\n", 3, "models.a.src",
     "the path must lead into the folder of this file"),
    ("package", V1 + "models:\n  a: {src: x/a.tflite, package: y}\n", 3, "models.a",
     "its file is outside of its package (found x/a.tflite, allowed y/...)"),
    ("package up", V1 + "models:\n  a: {src: a.tflite, package: ../y}\n", 3, "models.a.package",
     "expected a folder below that of this file"),
    ("runtime", V1 + "defaults: {min_runtime_version: 9}\n", 2, "defaults.min_runtime_version",
     "out of range (found 9, allowed 10 to 14)"),
    ("runtime text", V1 + "defaults:\n  min_runtime_version: new\n", 3,
     "defaults.min_runtime_version", "expected a whole number (found new, allowed 10 to 14)"),
    ("runtime octal", V1 + "defaults: {min_runtime_version: 012}\n", 2,
     "defaults.min_runtime_version", "expected a whole number (found 012"),
    ("release", V1 + "defaults: {emulate_release: 14.1}\n", 2, "defaults.emulate_release",
     "unknown value (found 14.1, allowed 16.0 or 15.0)"),
    ("timeout", V1 + "defaults: {timeout_sec: 0}\n", 2, "defaults.timeout_sec", "out of range"),
    ("switch", V1 + "defaults: {search_delegate: 1}\n", 2, "defaults.search_delegate",
     "expected true or false (found 1)"),
    ("tensors", V1 + "models:\n  a: {src: a.tflite, intermediate_tensors: x}\n", 3,
     "models.a.intermediate_tensors", "expected a list (found x)"),
    ("tensors empty", V1 + "models:\n  a: {src: a.tflite, intermediate_tensors: []}\n", 3,
     "models.a.intermediate_tensors", "the list is too short (found 0, allowed >= 1)"),
    ("tensors twice", V1 + "models:\n  a:\n    src: a.tflite\n    intermediate_tensors:\n"
     "    - x\n    - x\n", 7, "models.a.intermediate_tensors[1]", "is in the list twice (found x)"),
    ("step alone", V1 + "models:\n  a: {src: a.tflite, delegate_search_step: 2}\n", 3,
     "models.a.delegate_search_step", "has no effect without 'search_delegate: true'"),
    ("no such device", V1 + "models:\n  a: {src: a.tflite, device: x}\n", 3, "models.a.device",
     "there is no such name (found x, allowed none are declared)"),
    ("default device", V1 + DEVICES + "defaults: {device: x}\n", 5, "defaults.device",
     "there is no such name (found x, allowed one, two)"),
    ("old runtime", V1 + DEVICES + "models:\n  a:\n    src: a.tflite\n    device: one\n"
     "    min_runtime_version: 13\n", 9, "models.a.min_runtime_version",
     "the device 'one' has an older runtime (found 13, allowed 12)"),
    ("edge tpus", V1 + "devices:\n  d: {edge_tpus: 0}\n", 3, "devices.d.edge_tpus", "out of range"),
    ("group of one", MODELS + "cocompile_groups:\n  g: {models: [a]}\n", 6,
     "cocompile_groups.g.models", "the list is too short (found 1, allowed >= 2)"),
    ("group twice", MODELS + "cocompile_groups:\n  g: {models: [a, a]}\n", 6,
     "cocompile_groups.g.models[1]", "is in the list twice (found a)"),
    ("group unknown", MODELS + "cocompile_groups:\n  g:\n    models:\n    - a\n    - x\n", 9,
     "cocompile_groups.g.models[1]", "there is no such name (found x, allowed a, b)"),
    ("group search", MODELS + "cocompile_groups:\n  g: {models: [a, b], search_delegate: true}\n",
     6, "cocompile_groups.g.search_delegate", "unknown key"),
    ("two groups", MODELS + GROUP + "  h: {models: [b, a]}\n", 7, "cocompile_groups.h",
     "the model 'b' is in the group 'g', too"),
    ("group devices", V1 + DEVICES + "models:\n  a: {src: a.tflite, device: one}\n"
     "  b: {src: b.tflite, device: two}\n" + GROUP, 9, "cocompile_groups.g",
     "its models run on different devices (found a on one, b on two). Co-compiled models share"),
    ("group half a device", V1 + DEVICES + "models:\n  a: {src: a.tflite, device: one}\n"
     "  b: {src: b.tflite}\n" + GROUP, 9, "cocompile_groups.g",
     "its models run on different devices (found a on one, b on no device)"),
    ("member options", V1 + "models:\n  a: {src: a.tflite, timeout_sec: 3}\n"
     "  b: {src: b.tflite}\n" + GROUP, 3, "models.a.timeout_sec",
     "the model is compiled in the group 'g'. Give the option to the group"),
    ("pipeline model", MODELS + "pipelines:\n  p: {model: x, num_segments: 2}\n", 6,
     "pipelines.p.model", "there is no such name (found x, allowed a, b)"),
    ("one segment", MODELS + "pipelines:\n  p: {model: a, num_segments: 1}\n", 6,
     "pipelines.p.num_segments", "out of range (found 1, allowed 2 to 64)"),
    ("no segments", MODELS + "pipelines:\n  p: {model: a}\n", 6, "pipelines.p",
     "the key 'num_segments' is missing"),
    ("partitioner", MODELS + "pipelines:\n  p: {model: a, num_segments: 2, partitioner: fast}\n",
     6, "pipelines.p.partitioner", "unknown value (found fast, allowed parameter_count or prof"),
    ("pipeline in group", MODELS + GROUP + "pipelines:\n  p: {model: a, num_segments: 2}\n", 8,
     "pipelines.p", "the model 'a' is in the co-compile group 'g'. A pipeline runs on several"),
    ("pipeline tensors", V1 + "models:\n  a: {src: a.tflite, intermediate_tensors: [x]}\n"
     "pipelines:\n  p: {model: a, num_segments: 2}\n", 5, "pipelines.p.model",
     "a model with intermediate tensors cannot be cut into segments (found a)"),
    ("pipeline device", V1 + DEVICES + "models:\n  a: {src: a.tflite, device: two}\n"
     "pipelines:\n  p: {model: a, num_segments: 3}\n", 8, "pipelines.p",
     "the device 'two' has too few Edge TPUs for the segments (found 3, allowed 2)"),
    ("two pipelines", MODELS + "pipelines:\n  p: {model: a, num_segments: 2}\n"
     "  q: {model: a, num_segments: 2}\n", 7, "pipelines.q",
     "writes the same file as another entry (found a_segment_0_of_2_edgetpu.tflite, also of pipe"),
    ("output of a segment", V1 + "models:\n  a: {src: a.tflite}\n"
     "  a_segment_1_of_2: {src: b.tflite}\npipelines:\n  p: {model: a, num_segments: 2}\n", 6,
     "pipelines.p", "writes the same file as another entry (found a_segment_1_of_2_edgetpu.tfl"),
    ("name taken", MODELS + "cocompile_groups:\n  a: {models: [a, b]}\n", 6, "cocompile_groups.a",
     "the name is taken (found models.a in line 3)"),
    ("target taken", MODELS + "cocompile_groups:\n  a_edgetpu: {models: [a, b]}\n", 6,
     "cocompile_groups.a_edgetpu", "makes the target 'a_edgetpu' of 'models.a' once more"),
    ("test of nothing", MODELS + "tests:\n  t: {all_mapped: true}\n", 6, "tests.t",
     "a test needs one of the keys 'model' and 'pipeline'"),
    ("test of both", MODELS + "pipelines:\n  p: {model: a, num_segments: 2}\n"
     "tests:\n  t: {model: a, pipeline: p}\n", 8, "tests.t", "a test needs one of the keys"),
    ("test without check", MODELS + "tests:\n  t: {model: a}\n", 6, "tests.t",
     "the test checks nothing. Give all_mapped, a limit or inputs."),
    ("test contradiction", MODELS + "tests:\n  t: {model: a, all_mapped: true, cpu_operators: "
     "[ADD]}\n", 6, "tests.t.cpu_operators", "with 'all_mapped', no operator may run on the CPU"),
    ("test budget", MODELS + "tests:\n  t: {model: a, max_size_bytes: 1.5}\n", 6,
     "tests.t.max_size_bytes", "expected a whole number (found 1.5, allowed 0 or more)"),
    ("test difference", MODELS + "tests:\n  t: {model: a, all_mapped: true, max_difference: 1}\n",
     6, "tests.t.max_difference", "there are no 'inputs' to compare with"),
    ("test inputs", MODELS + "tests:\n  t: {model: a, inputs: [x.png]}\n", 6, "tests.t.inputs[0]",
     "expected a .npy file (found x.png)"),
    ("empty bundle", MODELS + "bundles:\n  z: {format: tar}\n", 6, "bundles.z",
     "the bundle is empty. Give models or pipelines."),
    ("bundle format", MODELS + "bundles:\n  z: {models: [a], format: zip}\n", 6,
     "bundles.z.format", "unknown value (found zip, allowed tar or directory)"),
    ("bundle prefix", MODELS + "bundles:\n  z: {models: [a], prefix: /etc}\n", 6,
     "bundles.z.prefix", "expected a folder below that of this file (found /etc)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_refused(text, line, key, message):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        parse_config(data, "edgetpu.yaml")
    place = f"edgetpu.yaml:{line}: " if line else "edgetpu.yaml: "
    assert str(caught.value).startswith(place + (f"{key}: " if key else ""))
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.key) == (line, key)


def test_enough_cases():
    assert len(CASES) >= 40


def test_messages_tell_the_cases_apart():
    texts = set()
    for _, text, *_ in CASES:
        with pytest.raises(ConfigError) as caught:
            parse_config(text if isinstance(text, bytes) else text.encode(), "f")
        texts.add(str(caught.value))
    # Only an empty file and one of comments are the same to a reader.
    assert len(texts) == len(CASES) - 1


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the file: No such file or directory"):
        read_config(str(tmp_path / "edgetpu.yaml"))


def test_too_large():
    with pytest.raises(ConfigError, match="the file is too large"):
        parse_config(b"#" * (1 << 20) + b"#", "f")
