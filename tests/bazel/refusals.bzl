"""Analysis tests of what the rules refuse, with the message of each."""

load("//rules:defs.bzl", "edgetpu_bundle", "edgetpu_cocompile_group", "edgetpu_model", "edgetpu_model_test", "edgetpu_pipeline", "edgetpu_toolchain")
load(":analysis.bzl", "other_compiler_refused_test", "refused", "setting_refused_test")

def _model(name, **kwargs):
    edgetpu_model(name = name, testonly = True, out = kwargs.pop("out", name + "_edgetpu.tflite"), src = kwargs.pop("src", ":dense.tflite"), **kwargs)

def _group(name, **kwargs):
    edgetpu_cocompile_group(name = name, testonly = True, **kwargs)

def _pipeline(name, **kwargs):
    edgetpu_pipeline(name = name, testonly = True, src = kwargs.pop("src", ":deep.tflite"), stem = name, **kwargs)

def _bundle(name, **kwargs):
    edgetpu_bundle(name = name, testonly = True, **kwargs)

def _refused_models():
    refused(
        name = "unknown_runtime_test",
        message = "min_runtime_version = 9, but there are the runtimes 10, 11, 12, 13, 14",
        min_runtime_version = 9,
        rule = _model,
    )
    refused(
        name = "unknown_runtime_setting_test",
        message = "//rules:min_runtime_version = \"9\", but the values are: 10, 11, 12, 13, 14",
        rule = _model,
        test = setting_refused_test,
    )
    refused(
        name = "unknown_release_test",
        emulate_release = "3.1",
        message = "emulate_release = \"3.1\", but the registered compiler can write: 15.0, 16.0",
        rule = _model,
    )
    refused(
        name = "release_of_other_compiler_test",
        emulate_release = "15.0",
        message = "emulate_release = \"15.0\", but the registered compiler can write: no release by name",
        rule = _model,
        test = other_compiler_refused_test,
    )
    refused(
        name = "output_name_test",
        message = "out = \"fast.tflite\", but the compiler's files end in _edgetpu.tflite",
        out = "fast.tflite",
        rule = _model,
    )
    refused(
        name = "source_type_test",
        src = "make_models.py",
        message = "expected .tflite",
        rule = _model,
    )
    refused(
        name = "compiled_twice_test",
        src = ":plain",
        message = "//tests/bazel:plain is compiled already. Give the .tflite model that it is made from",
        rule = _model,
    )
    refused(
        name = "step_without_search_test",
        delegate_search_step = 2,
        message = "delegate_search_step = 2 has no effect without search_delegate",
        rule = _model,
    )
    refused(
        name = "negative_step_test",
        delegate_search_step = -2,
        message = "delegate_search_step = -2, but it is a number of operators",
        rule = _model,
        search_delegate = True,
    )
    refused(
        name = "negative_timeout_test",
        message = "timeout_sec = -1, but it is a number of seconds",
        rule = _model,
        timeout_sec = -1,
    )

def _refused_groups():
    refused(
        name = "group_of_one_test",
        message = "a co-compile group has at least two models, this one has 1",
        models = [":dense.tflite"],
        rule = _group,
    )
    refused(
        name = "pipeline_in_group_test",
        message = "//tests/bazel:plain_pipeline is a pipeline. Its segments run on several Edge TPUs",
        models = {
            "in_group_a": ":dense.tflite",
            "in_group_b": ":plain_pipeline",
        },
        rule = _group,
    )
    refused(
        name = "compiled_in_group_test",
        message = "//tests/bazel:plain is compiled already",
        models = {
            "in_group_c": ":dense.tflite",
            "in_group_d": ":plain",
        },
        rule = _group,
    )
    refused(
        name = "two_groups_test",
        message = "the model :dense.tflite is in the group plain_group, too. A model has one caching token",
        models = {
            "in_group_e": ":deep.tflite",
            "plain_member": ":dense.tflite",
        },
        rule = _group,
    )
    refused(
        name = "alone_and_in_group_test",
        message = "plain_edgetpu.tflite is made by plain, too. A model is compiled alone or in a group",
        models = {
            "in_group_f": ":deep.tflite",
            "plain": ":dense.tflite",
        },
        rule = _group,
    )
    refused(
        name = "duplicate_outputs_test",
        message = "two of its models are written to dense_edgetpu.tflite. Give them names",
        models = [
            ":dense.tflite",
            "//tests/bazel/other:dense.tflite",
        ],
        rule = _group,
    )
    refused(
        name = "group_tensors_test",
        intermediate_tensors = {"x": ["y"]},
        message = "intermediate_tensors = {\"x\": ...}, but its models are: in_group_g, in_group_h",
        models = {
            "in_group_g": ":dense.tflite",
            "in_group_h": ":deep.tflite",
        },
        rule = _group,
    )
    refused(
        name = "group_runtime_test",
        message = "min_runtime_version = 15, but there are the runtimes",
        min_runtime_version = 15,
        models = {
            "in_group_i": ":dense.tflite",
            "in_group_j": ":deep.tflite",
        },
        rule = _group,
    )

def _refused_pipelines():
    for name, count in [("one_segment", 1), ("no_segment", 0), ("many_segments", 65)]:
        refused(
            name = name + "_test",
            message = "num_segments = %d, but a pipeline has 2 to 64" % count,
            num_segments = count,
            rule = _pipeline,
        )
    refused(
        name = "segment_tensors_test",
        intermediate_tensors = ["x"],
        message = "segments cannot have intermediate_tensors: their outputs are what the next segment reads",
        num_segments = 2,
        rule = _pipeline,
    )
    refused(
        name = "pipeline_of_pipeline_test",
        src = ":plain_pipeline_segment_0",
        message = "//tests/bazel:plain_pipeline_segment_0 is compiled already",
        num_segments = 2,
        rule = _pipeline,
    )
    refused(
        name = "unknown_partitioner_test",
        message = "partitioner = \"fast\", but the registered compiler has: parameter_count, profiling",
        num_segments = 2,
        partitioner = "fast",
        rule = _pipeline,
    )
    refused(
        name = "partitioner_of_other_compiler_test",
        message = "partitioner = \"profiling\", but the registered compiler has: parameter_count",
        num_segments = 2,
        partitioner = "profiling",
        rule = _pipeline,
        test = other_compiler_refused_test,
    )

def _refused_test(name, message, **kwargs):
    refused(
        name = name,
        message = message,
        rule = edgetpu_model_test,
        subject = name + "_subject_specification",
        **kwargs
    )

def _refused_tests():
    _refused_test(
        name = "test_of_nothing_test",
        message = "checks nothing: give all_mapped, a limit or inputs",
        model = ":plain",
    )
    _refused_test(
        name = "test_exceptions_test",
        cpu_operators = ["ADD"],
        message = "cpu_operators are the exceptions of all_mapped = True",
        model = ":plain",
    )
    _refused_test(
        name = "test_difference_test",
        all_mapped = True,
        max_difference = 1,
        message = "max_difference has no effect without inputs",
        model = ":plain",
    )
    _refused_test(
        name = "test_inputs_of_group_test",
        inputs = [":dense.npy"],
        message = "inputs compare one model, but //tests/bazel:plain_group are 2",
        model = ":plain_group",
    )
    _refused_test(
        name = "test_without_manifest_test",
        all_mapped = True,
        message = "was compiled by a compiler that writes no manifest",
        model = ":plain",
        test = other_compiler_refused_test,
    )

def _refused_bundles():
    refused(
        name = "empty_bundle_test",
        message = "models is empty",
        models = [],
        rule = _bundle,
    )
    refused(
        name = "bundle_names_test",
        message = "both //tests/bazel:plain_group and //tests/bazel:plain_member_edgetpu make a file plain_member_edgetpu.tflite",
        models = [
            ":plain_group",
            ":plain_member_edgetpu",
        ],
        rule = _bundle,
    )
    refused(
        name = "bundle_prefix_test",
        message = "prefix = \"../etc\", but it is a folder inside the bundle",
        models = [":plain"],
        prefix = "../etc",
        rule = _bundle,
    )
    refused(
        name = "bundle_member_test",
        message = "//tests/bazel:dense.tflite is not a compiled model. Give an edgetpu_model",
        models = [":dense.tflite"],
        rule = _bundle,
    )
    refused(
        name = "worker_without_flag_test",
        compiler = "//compiler:edgetpu_compiler",
        message = "supports_workers needs an action_flag",
        rule = edgetpu_toolchain,
        supports_workers = True,
    )

def refusal_tests():
    """Declares the tests, on what the BUILD file has."""
    _refused_models()
    _refused_groups()
    _refused_pipelines()
    _refused_tests()
    _refused_bundles()
