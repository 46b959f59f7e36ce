#include "cli/verbs.h"

#include "base/exit-codes.h"

static const Verb verbs[] = {
        {"auto", "", 0, 0, NEEDS_CONFIG, verb_auto, "Run the controller: watch, decide, roll back",
         "This is what novacron-auto-rollback.service starts. SIGHUP reads the\n"
         "configuration again and keeps the old one when the new is bad.",
         "auto-rollback auto\nauto-rollback --config ./rollback.yaml auto\n"},
        {"status", "", 0, 0, ALLOW_JSON, verb_status, "What runs, how it does, and what to do about it", NULL,
         "auto-rollback status\nauto-rollback status --json | jq .health.state\n"},
        {"manual", "REASON", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES | ALLOW_TO, verb_manual,
         "Roll back, after asking", "Shows what would be done and asks; only \"yes\" confirms.",
         "auto-rollback manual \"Performance degradation observed after deployment\"\nauto-rollback manual --to v2.3.1 \"v2.4.0 loses sessions, too\"\n"
         "auto-rollback manual --dry-run \"just looking\"\n"},
        {"emergency", "[REASON]", 0, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES | ALLOW_TO, verb_emergency,
         "Roll back at once, without asking",
         "Also works when no controller answers: then as root or the service's user.",
         "auto-rollback emergency \"Critical: Total service outage\"\n"},
        {"validate", "", 0, 0, ALLOW_JSON, verb_validate, "Did the last rollback help?", NULL,
         "auto-rollback validate\n"},
        {"plan", "", 0, 0, ALLOW_JSON | ALLOW_TO, verb_plan, "What a rollback would do now", NULL,
         "auto-rollback plan\nauto-rollback plan --to v2.3.1\n"},
        {"deploy", "VERSION", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES, verb_deploy,
         "Make a release current, in the same safe steps", NULL,
         "auto-rollback deploy v3.0.0\nauto-rollback deploy --dry-run v3.0.0\n"},
        {"pause", "[WHY]", 0, 1, ALLOW_JSON, verb_pause, "Forbid deployments", NULL,
         "auto-rollback pause \"schema migration until noon\"\n"},
        {"resume", "", 0, 0, ALLOW_JSON, verb_resume, "Allow deployments again",
         "Also puts aside a run that the journal holds open but that isn't sound; the\nstatus says when there is one.",
         "auto-rollback resume\n"},
        {"drain", "[SECONDS]", 0, 1, ALLOW_JSON, verb_drain, "Hold traffic back at the balancer",
         "Waits until nothing is in flight, for SECONDS at most (default 30). What is in\nflight even then is left to end; traffic stays drained until it is restored.",
         "auto-rollback drain\nauto-rollback drain 60\n"},
        {"restore", "", 0, 0, ALLOW_JSON, verb_restore, "Give traffic back, whoever drained it", NULL,
         "auto-rollback restore\n"},
        {"history", "", 0, 0, ALLOW_JSON | ALLOW_LIMIT, verb_history, "Past runs and deployments", NULL,
         "auto-rollback history --limit 5\n"},
        {"audit", "", 0, 0, ALLOW_JSON | ALLOW_LIMIT, verb_audit, "Who asked for what, whence, and what came of it",
         NULL, "auto-rollback audit --limit 5\n"},
        {"cancel", "[ID]", 0, 1, ALLOW_JSON, verb_cancel, "Cancel the run under way",
         "Before the old version is stopped everything is undone; after that the run is\nfinished. The answer says which.",
         "auto-rollback cancel\n"},
        {"adopt", "", 0, 0, ALLOW_JSON, verb_adopt, "Take in the releases found on this machine", NULL,
         "auto-rollback adopt\n"},
        {"check-config", "", 0, 0, ALLOW_JSON | ALLOW_REFERENCE | NO_CONFIG, verb_check_config,
         "Check the configuration",
         "--reference prints every key with its default and range. With health.url filled\nin, that is itself a configuration.",
         "auto-rollback check-config\nauto-rollback --config ./rollback.yaml check-config\nauto-rollback check-config --reference\n"},
        {"token", "NAME", 1, 1, ALLOW_JSON | ALLOW_ACT | NO_CONFIG, verb_token, "Make a token for a program elsewhere",
         "Printed once: the controller keeps only its hash, in the line for api.tokens.",
         "auto-rollback token dashboard\nauto-rollback token --act deploy-bot\n"},
        {"diagram", "", 0, 0, NO_CONFIG, verb_diagram, "Print the phases and steps of a run (Markdown)", NULL,
         "auto-rollback diagram\n"},
        {0},
};

static const ExitHelp exit_helps[] = {
        {EXIT_OK, "done; a rollback: succeeded and validated"},
        {EXIT_VALIDATION_FAILED, "rolled back, but it did not help"},
        {EXIT_REFUSED, "refused before anything was touched"},
        {EXIT_PUT_BACK, "failed; the original release serves"},
        {EXIT_HELD, "held: nothing safe left to do, a person is needed"},
        {EXIT_CANCELLED, "cancelled"},
        {EXIT_NOT_VERIFIED, "rolled back, but what should be measured could not be"},
        {EXIT_USAGE_ERROR, "wrong usage"},
        {EXIT_DATA, "an argument isn't valid"},
        {EXIT_NO_INPUT, "there is no such run or file, or nothing to cancel or validate"},
        {EXIT_UNAVAILABLE, "no controller answers"},
        {EXIT_INTERNAL, "an error inside the program"},
        {EXIT_CANT_CREATE, "a file could not be made"},
        {EXIT_IO, "reading or writing failed"},
        {EXIT_TRY_LATER, "another run is under way, or deployments are paused"},
        {EXIT_PERMISSION, "not allowed; the message has the line to type"},
        {EXIT_CONFIG, "the configuration is wrong"},
        {0},
};

const Program program = {
        .name = PROGRAM,
        .summary = "Puts the last good release back when a new one misbehaves, and shows why.",
        .verbs = verbs,
        .exits = exit_helps,
        .examples = "auto-rollback status\nauto-rollback manual \"Performance degradation observed after deployment\"\n"
                    "auto-rollback emergency \"Critical: Total service outage\"\nauto-rollback validate\n",
        .notes = "Times are UTC. NO_COLOR=1 prints without colours. When no controller answers,\n"
                 "status, plan, validate, history, manual and emergency work without it, as root\n"
                 "or the service's user.",
};
