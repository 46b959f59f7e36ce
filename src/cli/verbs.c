#include "cli/verbs.h"

#include "base/exit-codes.h"

static const Verb verbs[] = {
        {"auto", "", 0, 0, NEEDS_CONFIG, verb_auto, "Run the controller: watch, decide, roll back",
         "This is what novacron-auto-rollback.service starts. SIGHUP reads the\n"
         "configuration again and keeps the old one when the new is bad.",
         "auto-rollback auto\nauto-rollback --config ./rollback.yaml auto\n"},
        {"status", "", 0, 0, ALLOW_JSON, verb_status, "What runs, how it does, and what to do about it", NULL,
         "auto-rollback status\nauto-rollback status --json | jq .health.state\n"},
        {"manual", "REASON", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES | ALLOW_TO | ALLOW_ROW_LOSS, verb_manual,
         "Roll back, after asking", "Shows what would be done and asks; only \"yes\" confirms.",
         "auto-rollback manual \"Performance degradation observed after deployment\"\nauto-rollback manual --to v2.3.1 \"v2.4.0 loses sessions, too\"\n"
         "auto-rollback manual --dry-run \"just looking\"\n"},
        {"emergency", "[REASON]", 0, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES | ALLOW_TO | ALLOW_ROW_LOSS,
         verb_emergency, "Roll back at once, without asking",
         "Also works when no controller answers: then as root or the service's user.",
         "auto-rollback emergency \"Critical: Total service outage\"\n"},
        {"validate", "", 0, 0, ALLOW_JSON, verb_validate, "Did the last rollback help?", NULL,
         "auto-rollback validate\n"},
        {"plan", "", 0, 0, ALLOW_JSON | ALLOW_TO, verb_plan, "What a rollback would do now", NULL,
         "auto-rollback plan\nauto-rollback plan --to v2.3.1\n"},
        {"ready", "", 0, 0, ALLOW_JSON, verb_ready, "Could the rollback target be started right now?",
         "Proven all the time, item by item, with what to do about each that isn't ok.\n"
         "Exits with 0 when it is ready, 4 when it isn't (or there is no target), and 8\nwhen that could not be told.",
         "auto-rollback ready\nauto-rollback ready --json | jq '.checks[] | select(.verdict != \"ok\")'\n"},
        {"deploy", "VERSION", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES, verb_deploy,
         "Make a release current, in the same safe steps",
         "When no target that is proven ready would be left it asks first; -y goes on.",
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
        {"incidents", "[ACT ID]", 0, 3, ALLOW_JSON | ALLOW_LIMIT | ALLOW_MARKDOWN, verb_incidents,
         "What rollbacks, holds and reviews have opened",
         "ACT is show, ack (you have taken it) or resolve, which may say how: a NOTE.\nshow --markdown prints the report with its pictures in it, for a file. The\ncontroller writes each to incidents/ID/report.md in its state directory, too.",
         "auto-rollback incidents\nauto-rollback incidents show 3\nauto-rollback incidents show 3 --markdown >incident-3.md\n"
         "auto-rollback incidents ack 3\nauto-rollback incidents resolve 3 \"v3.0.1 fixes it\"\n"},
        {"audit", "", 0, 0, ALLOW_JSON | ALLOW_LIMIT, verb_audit, "Who asked for what, whence, and what came of it",
         NULL, "auto-rollback audit --limit 5\n"},
        {"explain", "[ID | run ID]", 0, 2, ALLOW_JSON, verb_explain, "Why was it decided?",
         "The newest decision, that one, or the one that began a run: its samples against\nthe thresholds, the guards that were asked, the target, and what followed.",
         "auto-rollback explain\nauto-rollback explain 12\nauto-rollback explain run 7\n"},
        {"replay", "[ID]", 0, 1, ALLOW_JSON | ALLOW_ALL, verb_replay, "Recompute a decision from its evidence",
         "The newest, that one, or --all of them; says whether the same comes out, bit for\nbit. With --all the records are verified, too.",
         "auto-rollback replay 12\nauto-rollback replay --all\n"},
        {"verify", "[LINK]", 0, 1, ALLOW_JSON, verb_verify, "Is every record still as it was written?",
         "Walks the chain of records in the journal. LINK is a newest link that was noted\nelsewhere (its first digits will do), and has to be there: that shows when the\njournal's end was cut off.",
         "auto-rollback verify\nauto-rollback verify 3f2a90c1d2e4\n"},
        {"shadow-report", "", 0, 0, ALLOW_JSON | ALLOW_PERIOD, verb_shadow_report, "Would shadow mode have been right?",
         "Beside each decision that decision.mode shadow only recorded: what operators\nthen did.",
         "auto-rollback shadow-report\nauto-rollback shadow-report --from 2026-11-01\n"},
        {"cancel", "[ID]", 0, 1, ALLOW_JSON, verb_cancel, "Cancel the run under way",
         "Before the old version is stopped everything is undone; after that the run is\nfinished. The answer says which.",
         "auto-rollback cancel\n"},
        {"adopt", "", 0, 0, ALLOW_JSON, verb_adopt, "Take in the releases found on this machine", NULL,
         "auto-rollback adopt\n"},
        {"receivers", "[test NAME]", 0, 2, ALLOW_JSON, verb_receivers, "Who is told of it, and a test message",
         "Each receiver with what waits for it and what it last said. test NAME sends a\nmessage that says it is a test, and shows what came back. A webhook gets it as a\nCloudEvent of type com.novacron.rollback.test.0.1.0: no CDEvent, no deployment.",
         "auto-rollback receivers\nauto-rollback receivers test oncall\n"},
        {"runbook", "[KEY]", 0, 2, ALLOW_JSON, verb_runbook, "The runbooks: the real state, and the next line to type",
         "1, 2, 3 and issue-1 to issue-5 as in the specification; without KEY they are\n"
         "listed. Ticks are what the journal and the controller show, never what somebody\n"
         "says. It only looks, and exits with 0 whatever the state is.",
         "auto-rollback runbook\nauto-rollback runbook 3\nauto-rollback runbook issue-4 --json | jq .steps\n"},
        {"backtest", "", 0, 0, ALLOW_JSON | ALLOW_PERIOD | ALLOW_BACKTEST | NO_CONFIG, verb_backtest,
         "When the rules would have rolled back",
         "Judges recorded samples again, by the configuration's rules or others, and says\n"
         "when it would have rolled back, on which numbers, and how soon after the onset.\n"
         "Samples: the controller's own history (it need not run), a range of the\n"
         "Prometheus in metrics.prometheus, or a CSV file. Times are RFC 3339 or how long\n"
         "ago (24h); the default is all of a file, else the last 24 hours.\n"
         "\n"
         "A CSV file's first line names its columns: end (or time: RFC 3339 or seconds\n"
         "since 1970; time_ms, time_us), requests, errors, p99 (85ms; or numbers in\n"
         "p99_ms, p99_us, p99_s), and if you like start, successes, dropped, p50. What is\n"
         "left empty is unknown.\n"
         "\n"
         "--labels says what really was an incident; then right, wrong and missed ones are\n"
         "counted. Of its own history it also says what was really done.",
         "auto-rollback backtest --from 7d --set thresholds.latency_p99=150ms\n"
         "auto-rollback backtest --prometheus --from 30d --labels incidents.csv\n"
         "auto-rollback backtest --csv samples.csv --json | jq .found\n"},
        {"consistency-check", "", 0, 0, ALLOW_JSON, verb_consistency_check, "Look for damage in the database",
         "In the controller's background, followed to its end: indexes and tables\n(amcheck), and data.postgres.checks. A run stops it. Exits with 0 when nothing\n"
         "was found, 3 when something was, and 8 when it could not be told.",
         "auto-rollback consistency-check\nauto-rollback consistency-check --json | jq .findings\n"},
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
        {EXIT_VALIDATION_FAILED, "rolled back, but it did not help; consistency-check: damage was found"},
        {EXIT_REFUSED, "refused before anything was touched; ready: it is not"},
        {EXIT_PUT_BACK, "failed; the original release serves"},
        {EXIT_HELD, "held: nothing safe left to do, a person is needed"},
        {EXIT_CANCELLED, "cancelled"},
        {EXIT_NOT_VERIFIED, "rolled back, but what should be measured could not be; ready: not known"},
        {EXIT_NOT_AS_RECORDED, "a decision recomputed differs, or a record was changed"},
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
