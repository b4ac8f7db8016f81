"""analysistest and asserts, under bazel_skylib's load path.

The same calls as in bazel_skylib, of which this is a small part written anew: tests of what a rule
does during analysis, including the message that it fails with.
"""

_EnvInfo = provider(
    doc = "What one analysis test has found so far.",
    fields = {"ctx": "the rule context of the test", "failures": "list of messages"},
)

def _begin(ctx):
    return _EnvInfo(ctx = ctx, failures = [])

def _end(env):
    return [AnalysisTestResultInfo(
        success = len(env.failures) == 0,
        message = "\n".join(env.failures) or "ok",
    )]

def _fail(env, message):
    env.failures.append("In test %s: %s" % (env.ctx.label, message))

def _target_under_test(env):
    target = getattr(env.ctx.attr, "target_under_test")
    return target[0] if type(target) == "list" else target

def _target_actions(env):
    return _target_under_test(env)[_ActionsInfo].actions

_ActionsInfo = provider(doc = "The actions of a target.", fields = {"actions": "list of Action"})

def _collect_actions_impl(target, _ctx):
    return [_ActionsInfo(actions = target.actions)]

_collect_actions = aspect(implementation = _collect_actions_impl)

def _make(impl, expect_failure = False, attrs = {}, fragments = [], config_settings = {}):
    settings = dict(config_settings)
    if expect_failure:
        settings["//command_line_option:allow_analysis_failures"] = "True"
    target = {"mandatory": True}
    if settings:
        target["cfg"] = analysis_test_transition(settings = settings)
    if not expect_failure:
        target["aspects"] = [_collect_actions]
    all_attrs = dict(attrs)
    all_attrs["target_under_test"] = attr.label(**target)
    return rule(
        implementation = impl,
        attrs = all_attrs,
        fragments = fragments,
        test = True,
        analysis_test = True,
    )

def _true(env, condition, msg = "Expected condition to be true, but was false."):
    if not condition:
        _fail(env, msg)

def _false(env, condition, msg = "Expected condition to be false, but was true."):
    if condition:
        _fail(env, msg)

def _equals(env, expected, actual, msg = None):
    if expected != actual:
        text = "Expected %r, but got %r" % (expected, actual)
        _fail(env, "%s (%s)" % (msg, text) if msg else text)

def _expect_failure(env, expected_failure_msg = ""):
    target = _target_under_test(env)
    if AnalysisFailureInfo not in target:
        _fail(env, "Expected failure of target_under_test, but found success")
        return
    messages = "\n".join([cause.message for cause in target[AnalysisFailureInfo].causes.to_list()])
    if expected_failure_msg not in messages:
        _fail(env, "Expected errors to contain %r but did not. Actual errors: %s" % (expected_failure_msg, messages))

analysistest = struct(
    make = _make,
    begin = _begin,
    end = _end,
    fail = _fail,
    target_under_test = _target_under_test,
    target_actions = _target_actions,
)

asserts = struct(
    expect_failure = _expect_failure,
    equals = _equals,
    true = _true,
    false = _false,
)
