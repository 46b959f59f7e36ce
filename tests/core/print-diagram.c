/* Prints the run's phases and steps as the documentation shows them. */
#include "core/run-table.h"

int main(void) {
        run_table_print_diagram(stdout);
        return 0;
}
