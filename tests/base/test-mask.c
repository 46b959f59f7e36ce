/* What is masked is judged by what is left: no secret may, whatever stands around it; and what is harmless stays as it is. */
#include "base/mask.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A text of several lines, masked. */
static const char *masked(const char *text) {
        static char all[16384];
        char copy[8192], line[MASK_LINE_MAX];
        Mask mask = {0};
        size_t used = 0;
        snprintf(copy, sizeof copy, "%s", text);
        for (char *at = copy, *next; at; at = next) {
                next = strchr(at, '\n');
                if (next)
                        *next++ = '\0';
                used += (size_t)snprintf(all + used, sizeof all - used, "%s\n",
                                         mask_line(&mask, at, line, sizeof line));
        }
        return all;
}

/* Every secret of these texts holds HUNTER2 or XYZZY. */
static const char *const with_secrets[] = {
        "password: HUNTER2",
        "password:HUNTER2",
        "password : HUNTER2 with blanks, XYZZY",
        "  db_password: 'HUNTER2'",
        "password: 'HUNTER2''XYZZY'",
        "password: \"HUNTER2\\\"XYZZY\"",
        "password: !secret HUNTER2",
        "password: HUNTER2 # a comment with XYZZY",
        "dbPassword = HUNTER2",
        "DB_PASSWD=HUNTER2",
        "export API_TOKEN=\"HUNTER2\"",
        "API_TOKEN='HUNTER2'\"XYZZY\"",
        "SECRET_KEY_BASE=HUNTER2 OTHER=1",
        "aws.secret.access=HUNTER2",
        "client_credentials: HUNTER2",
        "private: HUNTER2",
        "privateKey: HUNTER2",
        "signing-key: HUNTER2",
        "encryptionKey=HUNTER2",
        "apikey: HUNTER2",
        "dsn: postgres://app:HUNTER2@db/app",
        "database_dsn=user=app password=HUNTER2 host=db",
        "{\"password\":\"HUNTER2\",\"user\":\"app\"}",
        "{\"password\" : \"HUNTER2\\\"XYZZY\", \"user\": 1}",
        "{\"secret\":{\"a\":\"HUNTER2\"},\"b\":2}",
        "{\"tokens\":[\"HUNTER2\",\"XYZZY\"]}",
        "\"message\": \"{\\\"password\\\":\\\"HUNTER2\\\"}\"",
        "{user: app, password: HUNTER2, port: 1}",
        "<password>HUNTER2</password>",
        "<db:password type=\"plain\">HUNTER2</db:password>",
        "<property name=\"db.password\" value=\"HUNTER2\"/>",
        "<add key=\"ApiToken\" value=\"HUNTER2\" />",
        "<connection password=\"HUNTER2\" user=\"a\"/>",
        "config[\"password\"] = \"HUNTER2\"",
        ":password => 'HUNTER2'",
        "password := \"HUNTER2\"",
        "--password HUNTER2 --verbose",
        "--password=HUNTER2 --verbose",
        "service --auth-token 'HUNTER2 XYZZY' --port 80",
        "requirepass HUNTER2",
        "masterauth HUNTER2",
        "machine db login app password HUNTER2",
        "Authorization: Bearer HUNTER2",
        "curl -H 'Authorization: Basic HUNTER2'",
        "sent Bearer HUNTER2XYZZY to upstream",
        "Cookie: session=HUNTER2; theme=dark",
        "Set-Cookie: HUNTER2",
        "url: https://app:HUNTER2@example.com/x",
        "https://HUNTER2@example.com/x",
        "amqp://app:HUNT@ER/HUNTER2@mq:5672/v",
        "connecting to postgresql://app:HUNTER2@10.0.0.1:5432/app?sslmode=require failed",
        "app:HUNTER2@tcp(127.0.0.1:3306)/app",
        "redis: default:HUNTER2@cache.example.com:6379",
        "GET /login?user=a&token=HUNTER2&x=1",
        "dsn=\"host=db user=app password=HUNTER2\"",
        "password: |\n  HUNTER2\n  XYZZY\nuser: app",
        "password: >-\n  HUNTER2\n\n  XYZZY\nuser: app",
        "password:\n  HUNTER2\nuser: app",
        "tokens:\n  - HUNTER2\n  - XYZZY\nuser: app",
        "tokens:\n- HUNTER2\n- XYZZY\nuser: app",
        "secrets:\n  db:\n    user: HUNTER2\n    other: XYZZY\nplain: 1",
        "\"tokens\": [\n  \"HUNTER2\",\n  \"XYZZY\"\n],\n\"user\": 1",
        "password: \"HUNTER2\n  XYZZY\"\nuser: app",
        "password = \"\"\"HUNTER2\nXYZZY\"\"\"\nuser = 1",
        "PASSWORD=HUNTER2\\\nXYZZY\nUSER=a",
        "<secret>\n  HUNTER2\n</secret>",
        "env:\n  - name: DB_PASSWORD\n    value: HUNTER2\n  - name: USER\n    value: app",
        "- {name: API_KEY, value: \"HUNTER2\"}",
        "-----BEGIN RSA PRIVATE KEY-----\nHUNTER2\nXYZZY\n-----END RSA PRIVATE KEY-----\nafter: 1",
        "tls: |\n  -----BEGIN PRIVATE KEY-----\n  HUNTER2\n  -----END PRIVATE KEY-----",
        "pem: \"-----BEGIN EC PRIVATE KEY-----\\nHUNTER2\\n-----END EC PRIVATE KEY-----\\n\"",
        "-----BEGIN OPENSSH PRIVATE KEY-----HUNTER2",
        "pin: HUNTER2",
        "bind_pw: HUNTER2",
        "smtp_pass = HUNTER2",
        "session_salt: HUNTER2",
        "wifi-psk=HUNTER2",
        "my.very.long.prefix.of.a.name.that.goes.on.and.on.and.on.and.on.password: HUNTER2",
        "\tpassword:\tHUNTER2",
        "PassWord=HUNTER2",
        "ConnectionString: Server=db;User=sa;Pwd=HUNTER2",
        "found a wrong password HUNTER2",
        "login failed for app, password 'HUNTER2' is wrong",
        "\"password\":\n\"HUNTER2\",\n\"user\": 1",
        "password: HUNTER2\n  XYZZY\nuser: app",
        "- password: HUNTER2\n    XYZZY\n  user: app",
        "<password>\nHUNTER2\n</password>\n<user>a</user>",
        "<property name=\"db.password\"><value>HUNTER2</value></property>",
        "<property name=\"db.password\">\n  <value>HUNTER2</value>\n</property>",
        "<entry key=\"db.password\">HUNTER2</entry>",
        "<add value=\"HUNTER2\" key=\"ApiToken\"/>",
        "{\"value\": \"HUNTER2\", \"name\": \"DB_PASSWORD\"}",
        "define('DB_PASSWORD', 'HUNTER2');",
        "setenv(\"API_TOKEN\", \"HUNTER2\", 1);",
        "curl -u app:HUNTER2 https://example.com/",
        "curl --user app:HUNTER2 https://example.com/",
        "mysql -u app -pHUNTER2 -h db",
};

static void test_no_secret_stays(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(with_secrets); i++) {
                const char *out = masked(with_secrets[i]);
                if (strstr(out, "HUNTER2") || strstr(out, "XYZZY") || !strstr(out, MASKED))
                        fail_msg("%s\nbecame\n%s", with_secrets[i], out);
        }
}

static void test_what_looks_random_goes(UNUSED void **state) {
        static const char *const secrets[] = {
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "AKIAIOSFODNN7EXAMPLE",
                "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
                "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOHcBrzzqy",
                "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
                "5f4dcc3b5aa765d61d8327deb882cf99",
                "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
                "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ",
                "k3x9q2m7v5w1z8t4r6y0p3n7",
        };
        for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
                char line[256];
                static const char *const around[] = {"%s",       "harmless: %s", "said '%s' to it",
                                                     "x=%s,y=1", "(%s)",         "/etc/x/%s"};
                for (size_t k = 0; k < ARRAY_SIZE(around); k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                        snprintf(line, sizeof line, around[k], secrets[i]);
#pragma GCC diagnostic pop
                        const char *out = masked(line);
                        if (strstr(out, secrets[i]) || !strstr(out, MASKED))
                                fail_msg("%s\nbecame\n%s", line, out);
                }
        }
}

static void test_what_is_harmless_stays(UNUSED void **state) {
        static const char *const texts[] = {
                "",
                "listen: 127.0.0.1:9001",
                "data: /var/lib/service",
                "error_every: 20  # every 20th request of a client is answered 500: 5 %",
                "ExecStart=/opt/novacron/versions/v2.4.0/bin/novacron-dwcp-service --config /etc/novacron/config.v2.4.0.yaml",
                "FATAL: password authentication failed for user \"app\"",
                "novacron-dwcp-v3.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED",
                "2026-11-22T22:16:00.123456+0000 host kernel: Out of memory: Killed process 4711",
                "tokens_enabled: true",
                "auth: none",
                "name: novacron\nvalue: 3",
                "org.apache.http.impl.conn.PoolingHttpClientConnectionManager",
                "panic: runtime error: index out of range [5] with length 3",
                "https://example.com/a/b?c=d",
                "see https://example.com for more",
                "mail ops@example.com about it",
                "workers: 16, queue: 1024, timeout: 30s",
                "systemd[1]: Started novacron-dwcp-v2.service.",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "=========================================",
                "password check failed\n  at line 3",
                "{\"value\": \"3\", \"name\": \"workers\"}, {\"name\": \"DB_PASSWORD\"}",
                "run -u app -p 8080",
        };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                char wanted[512];
                snprintf(wanted, sizeof wanted, "%s\n", texts[i]);
                assert_string_equal(masked(texts[i]), wanted);
        }
}

static void test_what_stands_beside_a_secret_stays(UNUSED void **state) {
        static const struct {
                const char *text, *out;
        } rows[] = {
                {"{\"password\":\"a b\",\"user\":\"app\"}", "{\"password\":\"[masked]\",\"user\":\"app\"}\n"},
                {"url: postgres://app:x@db:5432/app", "url: postgres://[masked]@db:5432/app\n"},
                {"<password>x</password><user>a</user>", "<password>[masked]</password><user>a</user>\n"},
                {"password: |\n  x\nuser: app", "password: |\n  [masked]\nuser: app\n"},
                {"tokens:\n  - x\nuser: app", "tokens:\n  [masked]\nuser: app\n"},
                {"--password x --port 80", "--password [masked] --port 80\n"},
                {"name: DB_PASSWORD\nvalue: x\nname: USER\nvalue: app",
                 "name: DB_PASSWORD\nvalue: [masked]\nname: USER\nvalue: app\n"},
                {"password: \"\"\nuser: app", "password: \"\"\nuser: app\n"},
                {"- password: x\n  user: app", "- password: [masked]\n  user: app\n"},
                {"<password>\nx\n</password>\n<user>a</user>", "<password>\n[masked]\n</password>\n<user>a</user>\n"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_string_equal(masked(rows[i].text), rows[i].out);
}

static void test_long_lines_and_small_buffers(UNUSED void **state) {
        char line[3 * MASK_LINE_MAX], out[MASK_LINE_MAX], small[8];
        Mask mask = {0};
        memset(line, 'a', sizeof line - 1);
        line[sizeof line - 1] = '\0';
        memcpy(line + MASK_LINE_MAX - 12, " password=HUNTER2", 17); /* begins before the cut */
        assert_null(strstr(mask_line(&mask, line, out, sizeof out), "HUNTER"));
        mask = (Mask){0};
        assert_string_equal(mask_line(&mask, "password: HUNTER2", small, sizeof small), "passwor");
        assert_int_equal(mask.count, 0);
}

static void test_addresses(UNUSED void **state) {
        static const char *const rows[][2] = {
                {"http://host:8080/events?key=HUNTER2", "http://host:8080/events"},
                {"http://app:HUNTER2@host/x#y", "http://host/x"},
                {"http://auth:8080", "http://auth:8080"},
                {"http://auth:8080/health/live", "http://auth:8080/health/live"},
                {"https://hooks.example.com/services/T024BE7LD/B0G3X4ABC/k9Jd83jsKq29xPqLmN4bVc7Z",
                 "https://hooks.example.com/services/T024BE7LD/B0G3X4ABC/[masked]"},
                {"http://app:HUNTER2@[::1]:80?a@b", "http://[::1]:80"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char shown[256];
                assert_string_equal(mask_url(rows[i][0], shown, sizeof shown), rows[i][1]);
        }
}

/* Whatever bytes come: it ends, within the buffer. */
static void test_any_bytes(UNUSED void **state) {
        static const char alphabet[] = "a:=\"'\\<>{}[]|-@/ \tpassword\x80\xff#.$";
        unsigned seed = 1;
        for (unsigned round = 0; round < 20000; round++) {
                char text[64], out[96];
                Mask mask = {0};
                for (size_t i = 0; i < sizeof text - 1; i++) {
                        seed = seed * 1103515245U + 12345U;
                        text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
                }
                text[sizeof text - 1] = '\0';
                for (unsigned i = 0; i < 3; i++)
                        assert_true(strlen(mask_line(&mask, text, out, sizeof out)) < sizeof out);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_secret_stays),
                cmocka_unit_test(test_what_looks_random_goes),
                cmocka_unit_test(test_what_is_harmless_stays),
                cmocka_unit_test(test_what_stands_beside_a_secret_stays),
                cmocka_unit_test(test_long_lines_and_small_buffers),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_any_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
