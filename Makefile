# vecidx: a PostgreSQL index access method for nearest vectors
#
#   make demo           install what is missing, build, and show it at work
#   make check          install what is missing, build, and run every test
#   make && make install

# Both find or install PostgreSQL themselves, so they must work without it.
ifneq (,$(filter demo check,$(MAKECMDGOALS)))

demo:
	@test/demo/demo.sh

check:
	@test/check.sh

.PHONY: demo check

else

MODULE_big = vecidx
PGFILEDESC = "vecidx - index access method for nearest vectors"

# One object a line, lower layers first: a file includes only its own folder
# and those above its line.
OBJS = \
	src/kernel/scalar.o \
	src/kernel/plain_within.o \
	src/kernel/x86.o \
	src/kernel/x86_crc.o \
	src/kernel/avx2_rows.o \
	src/kernel/avx2_codes.o \
	src/kernel/avx2_panels.o \
	src/kernel/avx2_cross.o \
	src/kernel/avx2_within.o \
	src/kernel/avx512_rows.o \
	src/kernel/avx512_codes.o \
	src/kernel/avx512_panels.o \
	src/kernel/avx512_cross.o \
	src/kernel/arm.o \
	src/kernel/arm_crc.o \
	src/kernel/neon_rows.o \
	src/kernel/neon_codes.o \
	src/kernel/neon_panels.o \
	src/kernel/neon_cross.o \
	src/kernel/choose.o \
	src/quant/levels.o \
	src/quant/half.o \
	src/quant/plain.o \
	src/quant/rotation.o \
	src/quant/quantizer.o \
	src/quant/encode.o \
	src/quant/query.o \
	src/quant/pair.o \
	src/quant/decode.o \
	src/quant/choose.o \
	src/quant/sketch.o \
	src/type/array.o \
	src/type/pgvector.o \
	src/type/distance.o \
	src/page/layout.o \
	src/page/delta.o \
	src/page/buffer.o \
	src/page/meta.o \
	src/page/handle.o \
	src/page/slot.o \
	src/page/peek.o \
	src/page/resident.o \
	src/page/filter.o \
	src/filter/encode.o \
	src/filter/shape.o \
	src/filter/interval.o \
	src/filter/compile.o \
	src/filter/test.o src/filter/zone.o \
	src/graph/visited.o \
	src/graph/search.o \
	src/graph/prune.o \
	src/graph/link.o \
	src/graph/points.o \
	src/graph/gram.o \
	src/graph/weave.o \
	src/graph/partition.o \
	src/graph/levels.o \
	src/graph/parts.o \
	src/graph/order.o \
	src/graph/store.o \
	src/graph/entry.o \
	src/graph/rank.o \
	src/graph/kept.o src/graph/lot.o src/graph/select.o src/graph/sweep.o \
	src/graph/price.o src/graph/survey.o src/graph/sift.o \
	src/graph/effort.o \
	src/graph/screen.o \
	src/graph/truth.o \
	src/graph/trial.o \
	src/graph/calibrate.o \
	src/options.o \
	src/shared/state.o \
	src/shared/latency.o \
	src/shared/stats.o \
	src/shared/board.o \
	src/am/phases.o \
	src/am/row.o \
	src/am/pause.o \
	src/am/roster.o \
	src/am/former.o \
	src/am/edge.o \
	src/am/reconnect.o \
	src/am/twin.o \
	src/am/back.o \
	src/am/raise.o \
	src/am/insert.o \
	src/am/statement.o \
	src/am/sample.o \
	src/am/team.o \
	src/am/spool.o \
	src/am/cells.o \
	src/am/load.o \
	src/am/plan.o \
	src/am/roll.o \
	src/am/group.o \
	src/am/number.o \
	src/am/join.o \
	src/am/write.o \
	src/am/prepare.o \
	src/am/share.o \
	src/am/step.o \
	src/am/make.o \
	src/am/finish.o \
	src/am/build.o \
	src/am/limit.o \
	src/am/explain.o \
	src/am/tally.o \
	src/am/exact.o \
	src/am/ahead.o \
	src/am/gather.o \
	src/am/filter.o \
	src/am/audit.o \
	src/am/scan.o \
	src/am/splice.o \
	src/am/free.o \
	src/am/vacuum.o \
	src/am/cost.o \
	src/am/junk.o \
	src/am/keys.o \
	src/am/classes.o \
	src/am/handler.o \
	src/monitor/open.o \
	src/monitor/names.o \
	src/monitor/given.o \
	src/monitor/lone.o \
	src/monitor/ranges.o \
	src/monitor/check.o \
	src/monitor/drift.o \
	src/monitor/count.o \
	src/monitor/interval.o \
	src/monitor/measure.o \
	src/monitor/advice.o \
	src/monitor/info.o \
	src/monitor/health.o \
	src/monitor/prewarm.o \
	src/monitor/stat.o \
	src/monitor/residency.o \
	src/monitor/estimate.o \
	src/monitor/recalibrate.o \
	src/monitor/recall.o \
	src/vecidx.o

EXTENSION = vecidx vecidx_pgvector
DATA = \
	sql/vecidx--0.1.0.sql \
	sql/vecidx_pgvector--0.1.0.sql \
	src/monitor/vecidx_exporter.yaml

# PostgreSQL's headers count as the system's: warnings are for our own code
REGRESS = \
	setup \
	operators \
	build \
	scan \
	limit \
	insert \
	update \
	vacuum \
	options \
	stat \
	errors \
	tables \
	columns \
	twins \
	filters \
	cost \
	check \
	prewarm \
	calibrate \
	residency \
	recall \
	recall_stats \
	health \
	estimate

PGVECTOR_REGRESS = \
	vector_operators \
	vector_index \
	vector_limits \
	vector_recall \
	vector_calibrate \
	vector_extension

ISOLATION = \
	attach_vacuum \
	calibrate \
	concurrently \
	cursor_ddl \
	cursor_vacuum \
	cursor_walk \
	entry_delete \
	health \
	insert_insert \
	insert_vacuum \
	rollback \
	same_vector \
	search_cancel \
	search_prepared \
	temporary \
	twin_slots \
	update_former \
	update_nearest \
	vacuum_scan_insert

PG_CONFIG ?= pg_config
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(shell $(PG_CONFIG) --includedir-server)
EXTRA_CLEAN = .pg_version

# fused multiply-adds would make the same row another code on another processor
PG_CFLAGS = -std=gnu11 -ffp-contract=off -Wall -Wextra
SHLIB_LINK += -lm

# calls from one of our files to another go straight, not through a table of addresses
ifeq ($(shell uname -s),Linux)
SHLIB_LINK += -Wl,-Bsymbolic-functions
endif

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# plain loops over arrays that builds and passes spend their time in
src/am/cells.o src/am/load.o src/graph/gram.o src/graph/partition.o src/graph/lot.o src/graph/sweep.o src/graph/weave.o src/quant/sketch.o src/filter/test.o src/filter/zone.o src/kernel/plain_within.o src/kernel/avx2_within.o: CFLAGS += -O3

# PGXS tracks neither headers nor the PostgreSQL that objects were made for
$(shell v="`$(PG_CONFIG) --version`"; test "`cat .pg_version 2>/dev/null`" = "$$v" || echo "$$v" > .pg_version)
$(OBJS): $(wildcard src/*.h src/*/*.h) .pg_version

endif
