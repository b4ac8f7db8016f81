"""Repository rule behind rules_edgetpu_compat."""

def _compat_repository_impl(rctx):
    source = rctx.path(Label("@rules_edgetpu//:WORKSPACE")).dirname
    for part in ["third_party", "compat", rctx.name]:
        source = source.get_child(part)
    for entry in source.readdir():
        rctx.symlink(entry, entry.basename)

compat_repository = repository_rule(
    doc = "The folder third_party/compat/<name> of rules_edgetpu as the repository @<name>.",
    implementation = _compat_repository_impl,
    local = True,
)
