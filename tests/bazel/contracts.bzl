"""Analysis tests of the rules' actions, outputs and providers."""

load("//rules:defs.bzl", "edgetpu_cocompile_group", "edgetpu_model", "edgetpu_pipeline")
load(":analysis.bzl", "contract_test", "hermetic_test", "part_test", "with_settings_test")

_COMMON = {"tags": ["manual"], "testonly": True}

def _models():
    edgetpu_model(
        name = "defaults",
        src = ":dense.tflite",
        **_COMMON
    )
    contract_test(
        name = "defaults_test",
        inputs = ["dense.tflite"],
        options = {
            "--delegate_search_step": "",
            "--emulate_release": "",
            "--intermediate_tensors": "",
            "--min_runtime_version": "",
            "--report": "json",
            "--timeout_sec": "",
        },
        stems = ["dense_edgetpu"],
        target_under_test = "defaults",
    )
    with_settings_test(
        name = "settings_test",
        inputs = ["dense.tflite"],
        options = {
            "--emulate_release": "15.0",
            "--min_runtime_version": "11",
        },
        stems = ["dense_edgetpu"],
        target_under_test = "defaults",
    )
    hermetic_test(
        name = "hermetic_test",
        target_under_test = "defaults",
    )
    edgetpu_model(
        name = "options",
        src = ":dense.tflite",
        out = "dense_options_edgetpu.tflite",
        delegate_search_step = 3,
        emulate_release = "16.0",
        enable_multiple_subgraphs = True,
        intermediate_tensors = ["a:0", "b"],
        min_runtime_version = 12,
        search_delegate = True,
        show_operations = True,
        timeout_sec = 60,
        **_COMMON
    )
    options = {
        "--delegate_search_step": "3",
        "--emulate_release": "16.0",
        "--intermediate_tensors": "a:0,b",
        "--min_runtime_version": "12",
        "--timeout_sec": "60",
    }
    flags = ["--enable_multiple_subgraphs", "--search_delegate", "--show_operations"]
    contract_test(
        name = "options_test",
        flags = flags,
        inputs = ["dense_options.tflite"],
        options = options,
        stems = ["dense_options_edgetpu"],
        target_under_test = "options",
    )
    with_settings_test(
        name = "options_before_settings_test",
        flags = flags,
        inputs = ["dense_options.tflite"],
        options = options,
        stems = ["dense_options_edgetpu"],
        target_under_test = "options",
    )

def _groups():
    edgetpu_cocompile_group(
        name = "pair",
        models = {
            "second": ":deep.tflite",
            "first": ":dense.tflite",
        },
        intermediate_tensors = {"first": ["x", "y"]},
        min_runtime_version = "13",
        **_COMMON
    )
    contract_test(
        name = "group_test",
        inputs = ["second.tflite", "first.tflite"],
        options = {
            "--intermediate_tensors": ":x,y",
            "--min_runtime_version": "13",
        },
        stems = ["second_edgetpu", "first_edgetpu"],
        target_under_test = "pair",
    )
    part_test(
        name = "group_member_test",
        stem = "first_edgetpu",
        target_under_test = "first_edgetpu",
        whole = "pair",
    )

def _pipelines():
    for partitioner in ["parameter_count", "profiling"]:
        stem = "deep_" + partitioner
        edgetpu_pipeline(
            name = partitioner,
            src = ":deep.tflite",
            num_segments = 2,
            partitioner = partitioner,
            stem = stem,
            **_COMMON
        )
        segments = ["%s_segment_%d_of_2" % (stem, i) for i in range(2)]
        contract_test(
            name = partitioner + "_test",
            further_outputs = [segment + ".tflite" for segment in segments],
            inputs = [stem + ".tflite"],
            options = {
                "--num_segments": "2",
                "--partitioner": "profiling" if partitioner == "profiling" else "",
            },
            stems = [segment + "_edgetpu" for segment in segments],
            target_under_test = partitioner,
        )
    part_test(
        name = "segment_test",
        stem = "deep_profiling_segment_1_of_2_edgetpu",
        target_under_test = "profiling_segment_1",
        whole = "profiling",
    )

def contract_tests(name):
    """Declares the tests, on the models dense.tflite and deep.tflite.

    Args:
      name: name of a suite of them all.
    """
    _models()
    _groups()
    _pipelines()
    native.test_suite(
        name = name,
        tests = [
            "defaults_test",
            "group_member_test",
            "group_test",
            "hermetic_test",
            "options_before_settings_test",
            "options_test",
            "parameter_count_test",
            "profiling_test",
            "segment_test",
            "settings_test",
        ],
    )
