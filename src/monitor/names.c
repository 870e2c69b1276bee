/*
 * names.c
 *	  What people call the forms of codes and rerank vectors.
 */
#include "postgres.h"

#include "monitor/monitor.h"

const char *
vecidx_rerank_name(const VecIdxMetaFixed *fixed)
{
	switch ((VecIdxRerank) fixed->rerank)
	{
		case VECIDX_RERANK_NONE:
			return "none, codes are exact";
		case VECIDX_RERANK_SQ4:
			return "sq4";
		case VECIDX_RERANK_SQ8:
			return "sq8";
		case VECIDX_RERANK_HALF:
			return "half";
		case VECIDX_RERANK_FLOAT:
			return "float";
	}
	return "unknown";
}

const char *
vecidx_quantizer_name(const VecIdxMetaFixed *fixed)
{
	if (fixed->metric == VECIDX_HAMMING)
		return "bits";
	if (fixed->bits == 0)
		return "not known before the first row";
	return psprintf("rabitq%u", fixed->bits);
}
