/*
 * vecidx.c
 *	  The module: what is set up when it is loaded.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "am/explain.h"
#include "am/junk.h"
#include "am/keys.h"
#include "am/limit.h"
#include "am/pause.h"
#include "monitor/lone.h"
#include "options.h"
#include "quant/quant.h"
#include "shared/state.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static void
answer_cancel(void)
{
	CHECK_FOR_INTERRUPTS();
}

void
_PG_init(void)
{
	vecidx_quant_yield = answer_cancel;
	vecidx_pause_init();
	vecidx_options_init();
	vecidx_junk_init();
	vecidx_keys_init();
	vecidx_limit_init();
	vecidx_explain_init();
	vecidx_shared_init();
	vecidx_lone_init();
}
