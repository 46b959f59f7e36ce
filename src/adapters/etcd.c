/* etcd as the consensus cluster: its members are asked over the JSON gateway (LAB, etcd 3.4). */
#include "adapters/adapter.h"

static const SettingSpec specs[] = {
        {"endpoints", SETTING_LIST, NULL, 0, 0, NULL,
         "Client URLs, one or more; the other members are found by asking them"},
        {"ca", SETTING_PATH, "", 0, 0, NULL, "Authority that signed the members' certificates, for https"},
        {"certificate", SETTING_PATH, "", 0, 0, NULL, "Our certificate, where the cluster wants one"},
        {"key", SETTING_PATH, "", 0, 0, NULL, "Its key"},
        {0},
};

const ConsensusDriver etcd_consensus_driver = {.name = "etcd", .settings = specs};
