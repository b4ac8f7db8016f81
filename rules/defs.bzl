"""The rules of rules_edgetpu. BUILD files load from here and from nowhere else."""

load("//rules:providers.bzl", _EdgeTpuModelInfo = "EdgeTpuModelInfo")
load("//rules:toolchain.bzl", _edgetpu_toolchain = "edgetpu_toolchain")
load("//rules/private:edgetpu_model.bzl", _edgetpu_model = "edgetpu_model")

EdgeTpuModelInfo = _EdgeTpuModelInfo
edgetpu_model = _edgetpu_model
edgetpu_toolchain = _edgetpu_toolchain
