/* The database's part of steps 0 and 4: whether the release can work with the schema that is there, and the way back. */
#pragma once

#include "daemon/step-op.h"

/* Each goes on with `then` when nothing is to be asked, or all is well; else the step fails. What was found is put into the step's
 * note. A configured database, a release that declares nothing: said, and gone on. */
void step_schema_prove(StepOp *step, StepStage *then); /* changes nothing: step 0 */
void step_schema_bring(StepOp *step, StepStage *then); /* brings it to what the release needs: step 4 */
void step_schema_probe(StepOp *step);                  /* ends a probe: does the release work with what is there? */
