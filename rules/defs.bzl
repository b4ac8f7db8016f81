"""The rules of rules_edgetpu. BUILD files load from here and from nowhere else."""

load("//rules:providers.bzl", _EdgeTpuGroupInfo = "EdgeTpuGroupInfo", _EdgeTpuModelInfo = "EdgeTpuModelInfo", _EdgeTpuPipelineInfo = "EdgeTpuPipelineInfo")
load("//rules:toolchain.bzl", _edgetpu_toolchain = "edgetpu_toolchain")
load("//rules/private:edgetpu_bundle.bzl", _edgetpu_bundle = "edgetpu_bundle")
load("//rules/private:edgetpu_cocompile_group.bzl", _edgetpu_cocompile_group = "edgetpu_cocompile_group")
load("//rules/private:edgetpu_model.bzl", _edgetpu_model = "edgetpu_model")
load("//rules/private:edgetpu_model_test.bzl", _edgetpu_model_test = "edgetpu_model_test")
load("//rules/private:edgetpu_pipeline.bzl", _edgetpu_pipeline = "edgetpu_pipeline")

EdgeTpuGroupInfo = _EdgeTpuGroupInfo
EdgeTpuModelInfo = _EdgeTpuModelInfo
EdgeTpuPipelineInfo = _EdgeTpuPipelineInfo
edgetpu_bundle = _edgetpu_bundle
edgetpu_cocompile_group = _edgetpu_cocompile_group
edgetpu_model = _edgetpu_model
edgetpu_model_test = _edgetpu_model_test
edgetpu_pipeline = _edgetpu_pipeline
edgetpu_toolchain = _edgetpu_toolchain
