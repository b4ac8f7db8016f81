"""Targets from the entries that edgetpu.yaml has for a package."""

load("//rules:defs.bzl", "edgetpu_bundle", "edgetpu_cocompile_group", "edgetpu_model", "edgetpu_model_test", "edgetpu_pipeline")

_RULES = {
    "edgetpu_bundle": edgetpu_bundle,
    "edgetpu_cocompile_group": edgetpu_cocompile_group,
    "edgetpu_model": edgetpu_model,
    "edgetpu_model_test": edgetpu_model_test,
    "edgetpu_pipeline": edgetpu_pipeline,
}

def declare_targets(targets, **kwargs):
    """Declares those targets that belong to the calling package.

    Args:
      targets: list of {package, rule, attributes}.
      **kwargs: for each of them.
    """
    here = [target for target in targets if target["package"] == native.package_name()]
    if not here:
        packages = {target["package"]: None for target in targets}
        fail("edgetpu.yaml has no targets for the package %r; it has for %s" %
             (native.package_name(), ", ".join([repr(package) for package in sorted(packages)]) or "none"))
    for target in here:
        attributes = dict(target["attributes"])
        attributes.update(kwargs)
        if target["rule"] == "edgetpu_model_test":
            attributes.pop("testonly", None)
        _RULES[target["rule"]](**attributes)
