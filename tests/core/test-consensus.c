#include "core/consensus.h"

#include "core-test.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE (5 * SEC)

/* `count` sound members 1, 2, ... of term 5, led by 1, with the same data. */
typedef struct Cluster {
        ConsensusState state;
        ConsensusHistory history;
        ConsensusView view;
} Cluster;

static Cluster cluster_of(unsigned count) {
        Cluster cluster = {.state.count = count};
        for (unsigned i = 0; i < count; i++) {
                cluster.state.members[i] = (ConsensusMember){.id = i + 1,
                                                             .reachable = true,
                                                             .term = 5,
                                                             .leader = 1,
                                                             .applied = 100,
                                                             .revision = 40,
                                                             .hashed = true,
                                                             .hash_revision = 40,
                                                             .compact_revision = 10,
                                                             .hash = 0xABCD,
                                                             .lag_us = (int64_t)i * MSEC};
                snprintf(cluster.state.members[i].name, sizeof cluster.state.members[i].name, "n%u", i + 1);
        }
        return cluster;
}

static ConsensusMember *member(Cluster *cluster, unsigned number) {
        return &cluster->state.members[number - 1];
}

static const ConsensusView *look(Cluster *cluster, int64_t mono) {
        cluster->state.at_mono = mono;
        consensus_judge(&cluster->history, &cluster->state, PATIENCE, &cluster->view);
        return &cluster->view;
}

static void lose(Cluster *cluster, unsigned number) {
        *member(cluster, number) = (ConsensusMember){.id = number, .applied = -1, .revision = -1, .lag_us = -1};
        snprintf(member(cluster, number)->name, sizeof member(cluster, number)->name, "n%u", number);
}

static void a_sound_cluster(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        const ConsensusView *view = look(&cluster, 100 * SEC);
        assert_int_equal(view->quorum, KNOWN_TRUE);
        assert_int_equal(view->leader, 1);
        assert_int_equal(view->term, 5);
        assert_int_equal(view->reachable, 3);
        assert_int_equal(view->needed, 2);
        assert_int_equal(view->byzantine, 0);
        assert_int_equal(view->lag_us, 2 * MSEC);
        assert_string_equal(view->words, "3 of 3 members answer, n1 leads in term 5");
}

static void a_majority_is_a_quorum(void **state UNUSED) {
        Cluster cluster = cluster_of(5);
        lose(&cluster, 1); /* the leader answers its followers, if not us */
        lose(&cluster, 2);
        const ConsensusView *view = look(&cluster, 100 * SEC);
        assert_int_equal(view->quorum, KNOWN_TRUE);
        assert_int_equal(view->needed, 3);
        assert_int_equal(view->leader, 1);
        assert_non_null(strstr(view->words, "n1 doesn't answer; n2 doesn't answer"));
        lose(&cluster, 3);
        assert_int_equal(look(&cluster, 101 * SEC)->quorum, KNOWN_NOT);
}

static void an_election_is_no_loss(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        look(&cluster, 100 * SEC);
        lose(&cluster, 1);
        for (unsigned i = 2; i <= 3; i++)
                member(&cluster, i)->leader = 0;
        assert_int_equal(look(&cluster, 101 * SEC)->quorum, KNOWN_NOT);
        assert_non_null(strstr(cluster.view.words, "no leader that a majority (2) follows for 0 ms; after 5 s"));
        assert_int_equal(look(&cluster, 106 * SEC - 1)->quorum, KNOWN_NOT);
        assert_int_equal(look(&cluster, 106 * SEC)->quorum, KNOWN_FALSE);
        assert_non_null(strstr(cluster.view.words, "for 5 s: the quorum is lost"));

        for (unsigned i = 2; i <= 3; i++) {
                member(&cluster, i)->leader = 3;
                member(&cluster, i)->term = 6;
        }
        assert_int_equal(look(&cluster, 107 * SEC)->quorum, KNOWN_TRUE);
        assert_int_equal(cluster.view.term, 6);
        for (unsigned i = 2; i <= 3; i++)
                member(&cluster, i)->leader = 0;
        assert_int_equal(look(&cluster, 108 * SEC)->quorum, KNOWN_NOT); /* counted from the start again */
}

static void followers_of_different_leaders_are_no_quorum(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 2)->leader = 2;
        member(&cluster, 2)->term = 6;
        lose(&cluster, 3);
        look(&cluster, 100 * SEC);
        assert_int_equal(cluster.view.quorum, KNOWN_NOT);
        assert_int_equal(cluster.view.leader, 0);
        assert_int_equal(cluster.view.term, 6);
        assert_int_equal(look(&cluster, 105 * SEC)->quorum, KNOWN_FALSE);
}

/* Cut off with the minority: what it still answers is old. */
static void a_minority_that_answers_is_no_quorum(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        lose(&cluster, 2);
        lose(&cluster, 3);
        look(&cluster, 100 * SEC); /* still led, in its own eyes */
        assert_int_equal(look(&cluster, 105 * SEC)->quorum, KNOWN_FALSE);
}

static void learners_have_no_vote(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->learner = true;
        lose(&cluster, 2);
        look(&cluster, 100 * SEC);
        assert_int_equal(cluster.view.needed, 2);
        assert_int_equal(cluster.view.quorum, KNOWN_NOT);
}

static void other_data_is_byzantine_after_three_strikes(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->hash = 0xBAD;
        assert_int_equal(look(&cluster, 100 * SEC)->byzantine, 0);
        assert_non_null(strstr(cluster.view.words, "the data of n3 differs from the majority's, to be confirmed"));
        assert_int_equal(look(&cluster, 101 * SEC)->byzantine, 0);
        assert_int_equal(look(&cluster, 102 * SEC - 1)->byzantine, 0); /* no second has passed */
        assert_int_equal(look(&cluster, 102 * SEC)->byzantine, 1);
        assert_true(cluster.view.is_byzantine[2]);
        assert_false(cluster.view.is_byzantine[0]);
        assert_non_null(strstr(cluster.view.words, "n3 differs from the majority's: Byzantine"));
        assert_int_equal(cluster.view.quorum, KNOWN_TRUE);

        for (unsigned i = 1; i <= 3; i++) /* not hashed at this look: nothing new is known */
                member(&cluster, i)->hashed = false;
        assert_int_equal(look(&cluster, 103 * SEC)->byzantine, 1);
        for (unsigned i = 1; i <= 3; i++)
                member(&cluster, i)->hashed = true;
        member(&cluster, 3)->hash = 0xABCD;
        assert_int_equal(look(&cluster, 104 * SEC)->byzantine, 0);
}

static void one_agreement_clears_it(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->hash = 0xBAD;
        look(&cluster, 100 * SEC);
        look(&cluster, 101 * SEC);
        member(&cluster, 3)->hash = 0xABCD;
        look(&cluster, 102 * SEC);
        member(&cluster, 3)->hash = 0xBAD;
        look(&cluster, 103 * SEC);
        assert_int_equal(look(&cluster, 104 * SEC)->byzantine, 0);
        assert_int_equal(look(&cluster, 105 * SEC)->byzantine, 1);
}

static void what_cannot_be_compared_says_nothing(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->hash = 0xBAD;
        look(&cluster, 100 * SEC);
        look(&cluster, 101 * SEC);
        member(&cluster, 3)->compact_revision = 20; /* it has compacted, the others not yet */
        for (int64_t second = 102; second < 110; second++)
                assert_int_equal(look(&cluster, second * SEC)->byzantine, 0);
        member(&cluster, 3)->compact_revision = 10;
        member(&cluster, 3)->hash_revision = 41;
        for (int64_t second = 110; second < 120; second++)
                assert_int_equal(look(&cluster, second * SEC)->byzantine, 0);
        member(&cluster, 3)->hash_revision = 40;
        assert_int_equal(look(&cluster, 120 * SEC)->byzantine, 1);
}

static void two_against_two_is_nobody(void **state UNUSED) {
        Cluster cluster = cluster_of(4);
        member(&cluster, 3)->hash = member(&cluster, 4)->hash = 0xBAD;
        for (int64_t second = 100; second < 110; second++)
                assert_int_equal(look(&cluster, second * SEC)->byzantine, 0);
        assert_non_null(strstr(cluster.view.words, "no majority (3) agrees"));
        member(&cluster, 4)->hash = 0xABCD;
        look(&cluster, 110 * SEC);
        assert_null(strstr(cluster.view.words, "no majority"));
}

/* With one of three down, each of the two that differ is one of three. */
static void one_against_one_is_nobody(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        lose(&cluster, 1);
        member(&cluster, 3)->hash = 0xBAD;
        for (int64_t second = 100; second < 110; second++)
                assert_int_equal(look(&cluster, second * SEC)->byzantine, 0);
        assert_non_null(strstr(cluster.view.words, "it can't be told who is wrong"));
}

static void who_was_byzantine_stays_so_while_away(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->hash = 0xBAD;
        for (int64_t second = 100; second < 103; second++)
                look(&cluster, second * SEC);
        lose(&cluster, 3);
        assert_int_equal(look(&cluster, 103 * SEC)->byzantine, 1);

        Cluster replaced = cluster_of(3); /* repaired: taken out, and a new one added */
        replaced.history = cluster.history;
        member(&replaced, 3)->id = 9;
        assert_int_equal(look(&replaced, 104 * SEC)->byzantine, 0);
}

static void records_follow_their_members(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->hash = 0xBAD;
        look(&cluster, 100 * SEC);
        look(&cluster, 101 * SEC);
        const ConsensusMember bad = *member(&cluster, 3);
        *member(&cluster, 3) = *member(&cluster, 1);
        *member(&cluster, 1) = bad;
        assert_int_equal(look(&cluster, 102 * SEC)->byzantine, 1);
        assert_true(cluster.view.is_byzantine[0]);
}

static void another_leader_in_the_same_term_is_byzantine(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->leader = 3;
        assert_int_equal(look(&cluster, 100 * SEC)->byzantine, 0);
        for (unsigned i = 1; i <= 3;
             i++) /* the leader is compared at each look, data or not: neither clears the other */
                member(&cluster, i)->hashed = false;
        assert_int_equal(look(&cluster, 101 * SEC)->byzantine, 0);
        assert_int_equal(look(&cluster, 102 * SEC)->byzantine, 1);
        assert_non_null(strstr(cluster.view.words, "n3 claims another leader in the same term: Byzantine"));
        assert_int_equal(cluster.view.leader, 1);
        member(&cluster, 3)->leader = 1;
        assert_int_equal(look(&cluster, 103 * SEC)->byzantine, 0);
}

static void data_and_leader_are_counted_apart(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 3)->hash = 0xBAD; /* and it follows the right leader all the time */
        look(&cluster, 100 * SEC);
        look(&cluster, 101 * SEC);
        assert_int_equal(look(&cluster, 102 * SEC)->byzantine, 1);
}

static void an_older_term_is_not(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        for (unsigned i = 1; i <= 2; i++) {
                member(&cluster, i)->term = 6;
                member(&cluster, i)->leader = 2;
        }
        member(&cluster, 3)->leader = 1; /* of term 5: it was cut off */
        for (int64_t second = 100; second < 110; second++)
                assert_int_equal(look(&cluster, second * SEC)->byzantine, 0);
        member(&cluster, 3)->term = 6;
        member(&cluster, 3)->leader = 0; /* it doesn't know yet */
        for (int64_t second = 110; second < 120; second++)
                assert_int_equal(look(&cluster, second * SEC)->byzantine, 0);
}

static void data_agrees_when_it_was_compared_and_nobody_differs(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        for (unsigned i = 1; i <= 3; i++)
                member(&cluster, i)->hashed = false;
        assert_false(look(&cluster, 100 * SEC)->data_agrees);
        assert_non_null(strstr(cluster.view.words, "data isn't compared"));
        member(&cluster, 1)->hashed = member(&cluster, 2)->hashed = true; /* a majority is enough */
        assert_true(look(&cluster, 101 * SEC)->data_agrees);
        member(&cluster, 1)->hashed = member(&cluster, 2)->hashed = false;
        assert_true(look(&cluster, 102 * SEC)->data_agrees); /* as of the newest hashes */
        for (unsigned i = 1; i <= 3; i++)
                member(&cluster, i)->hashed = true;
        member(&cluster, 3)->hash = 0xBAD;
        assert_false(look(&cluster, 103 * SEC)->data_agrees); /* not Byzantine yet, but no more known to be sound */
        member(&cluster, 3)->hash = 0xABCD;
        assert_true(look(&cluster, 104 * SEC)->data_agrees);
        member(&cluster, 3)->leader = 2;
        assert_false(look(&cluster, 105 * SEC)->data_agrees);
}

static void the_lag_is_the_slowest_members(void **state UNUSED) {
        Cluster cluster = cluster_of(3);
        member(&cluster, 2)->lag_us = 80 * MSEC;
        assert_int_equal(look(&cluster, 100 * SEC)->lag_us, 80 * MSEC);
        member(&cluster, 2)->reachable = false;
        assert_int_equal(look(&cluster, 101 * SEC)->lag_us, 2 * MSEC);
        for (unsigned i = 1; i <= 3; i++)
                member(&cluster, i)->lag_us = -1;
        assert_int_equal(look(&cluster, 102 * SEC)->lag_us, -1);
}

static void the_successor_has_applied_most(void **state UNUSED) {
        char words[DETAIL_MAX];
        Cluster cluster = cluster_of(5);
        member(&cluster, 2)->applied = 98;
        member(&cluster, 4)->applied = 101;
        member(&cluster, 4)->learner = true;
        member(&cluster, 5)->term = 4;
        member(&cluster, 5)->applied = 102;
        look(&cluster, 100 * SEC);
        const ConsensusMember *successor = consensus_successor(&cluster.state, &cluster.view, words, sizeof words);
        assert_ptr_equal(successor, member(&cluster, 3));
        assert_string_equal(words, "");
}

static void nobody_may_take_over(void **state UNUSED) {
        char words[DETAIL_MAX];
        Cluster cluster = cluster_of(3);
        lose(&cluster, 2);
        member(&cluster, 3)->reachable = true;
        look(&cluster, 100 * SEC);
        cluster.view.is_byzantine[2] = true;
        assert_null(consensus_successor(&cluster.state, &cluster.view, words, sizeof words));
        assert_non_null(strstr(words, "Byzantine"));

        cluster = cluster_of(1);
        look(&cluster, 100 * SEC);
        assert_null(consensus_successor(&cluster.state, &cluster.view, words, sizeof words));
        assert_non_null(strstr(words, "no other member"));

        cluster = cluster_of(3);
        lose(&cluster, 2);
        lose(&cluster, 3);
        look(&cluster, 100 * SEC);
        assert_null(consensus_successor(&cluster.state, &cluster.view, words, sizeof words));
        assert_non_null(strstr(words, "no leader"));
}

static void a_byzantine_leader_can_be_succeeded(void **state UNUSED) {
        char words[DETAIL_MAX];
        Cluster cluster = cluster_of(3);
        member(&cluster, 1)->hash = 0xBAD;
        for (int64_t second = 100; second < 103; second++)
                look(&cluster, second * SEC);
        assert_true(cluster.view.is_byzantine[0]);
        assert_non_null(consensus_successor(&cluster.state, &cluster.view, words, sizeof words));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_sound_cluster),
                cmocka_unit_test(a_majority_is_a_quorum),
                cmocka_unit_test(an_election_is_no_loss),
                cmocka_unit_test(followers_of_different_leaders_are_no_quorum),
                cmocka_unit_test(a_minority_that_answers_is_no_quorum),
                cmocka_unit_test(learners_have_no_vote),
                cmocka_unit_test(other_data_is_byzantine_after_three_strikes),
                cmocka_unit_test(one_agreement_clears_it),
                cmocka_unit_test(what_cannot_be_compared_says_nothing),
                cmocka_unit_test(two_against_two_is_nobody),
                cmocka_unit_test(one_against_one_is_nobody),
                cmocka_unit_test(who_was_byzantine_stays_so_while_away),
                cmocka_unit_test(records_follow_their_members),
                cmocka_unit_test(another_leader_in_the_same_term_is_byzantine),
                cmocka_unit_test(data_and_leader_are_counted_apart),
                cmocka_unit_test(an_older_term_is_not),
                cmocka_unit_test(data_agrees_when_it_was_compared_and_nobody_differs),
                cmocka_unit_test(the_lag_is_the_slowest_members),
                cmocka_unit_test(the_successor_has_applied_most),
                cmocka_unit_test(nobody_may_take_over),
                cmocka_unit_test(a_byzantine_leader_can_be_succeeded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
