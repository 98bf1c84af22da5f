# SPDX-License-Identifier: BSD-2-Clause
#
# Builds Perdure into build/release (default) or build/debug (DEBUG=1). `make help` lists the targets.
#
#   $(B)/kernel.elf  the kernel with boot code: multiboot 1, multiboot 2 and UEFI loaders take this one file
#   $(B)/ckptserver  boot module, and $(B)/archive: console, pager, apps and boot.cfg as ustar
#   $(B)/bin/X  $(B)/tests/X  $(B)/bench/X   programs, stripped; X.elf beside them has symbols, X.map and X.sym too
#   $(B)/obj/   objects, at the path of their source
#
# A folder with a main.c makes a program: apps/X, tests/guest/X, bench/X; each tests/guest/X.c and bench/X.c is one, too.
# Those of tests and bench are root tasks; tests/guest/lib/*.c is linked into them. A host test names its sources in TEST_SRC_<test>.

DEBUG  ?= 0
V      ?= 0
MODE   := $(if $(filter 1,$(DEBUG)),debug,release)
B      := build/$(MODE)
O      := $(B)/obj
H      := build/host
Q      := $(if $(filter 1,$(V)),,@)
say     = @printf '  %-8s%s\n' '$1' '$2'

ifeq ($(origin CC),default)
CC     := gcc
endif
LD     := ld.bfd
AR     := ar
NASM   := nasm
OBJCOPY := objcopy
HOST_CC := gcc
CLANG  := clang
IS_CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
NPROC  := $(shell nproc)
VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)

MAKEFLAGS += --no-builtin-rules $(if $(filter 0,$(MAKELEVEL)),-j$(NPROC))
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

# ---- flags -----------------------------------------------------------------------------------------------------
CC_INCLUDE := $(shell $(CC) -print-file-name=include)
WARN   := -Wall -Wextra -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
	  -Wwrite-strings -Wconversion -Wformat=2 -Wvla -Wimplicit-fallthrough -Wframe-larger-than=1024 -Werror
# Signed and unsigned mix in every ABI that is made of words; -Wconversion still finds what loses bits.
WARN   += -Wno-sign-conversion
OPT    := -O2 -g
LANG_FLAGS := -std=gnu11 -ffreestanding -nostdinc -isystem $(CC_INCLUDE) -fno-common -fno-strict-aliasing \
	  -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pic -ffile-prefix-map=$(CURDIR)=.
DEFS   := -DDEBUG=$(if $(filter debug,$(MODE)),1,0)
INCLUDE := -I. -Ilibl4/include -I$(O)/include
# Constants and structures of devices, and header-only libraries; what those ask of a C library is beside the store.
UAPI   := -idirafter ckptserver/store/freestanding -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu

KERNEL_FLAGS := $(LANG_FLAGS) -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pie -Ikernel -Ikernel/x86 -Iboot
USER_FLAGS   := $(LANG_FLAGS) -mcmodel=small -fno-pie
UEFI_FLAGS   := -std=gnu11 -ffreestanding -fshort-wchar -mno-red-zone -fpic -fno-stack-protector -fno-strict-aliasing \
	  -fno-asynchronous-unwind-tables -maccumulate-outgoing-args -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi \
	  -isystem /usr/include/efi/x86_64 -Iboot
ifneq ($(IS_CLANG),)
UEFI_FLAGS   := $(filter-out -maccumulate-outgoing-args,$(UEFI_FLAGS))
endif
HOST_FLAGS   := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	  -D_GNU_SOURCE -DHOST_TEST=1 -DDEBUG=1 -I. -Iboot -Ikernel -Ickptserver -Ickptserver/store -idirafter libl4/include
# NASM writes the working directory into its debug information: that would make release builds differ by place.
NASM_FLAGS   := -f elf64 $(if $(filter debug,$(MODE)),-g -F dwarf) -Werror -w+orphan-labels -I./ -Ilibl4/include/ -Ikernel/x86/
LD_FLAGS     := -nostdlib -static --fatal-warnings --build-id=none -z noexecstack -z max-page-size=4096
USER_LD      := $(LD_FLAGS) -Ttext-segment=0x400000 -e _start

# ---- sources -----------------------------------------------------------------------------------------------------
sources      = $(foreach d,$1,$(wildcard $d/*.c $d/*.asm))
objects      = $(addprefix $(O)/,$(addsuffix .o,$1))
programs     = $(notdir $(patsubst %/,%,$(dir $(wildcard $1/*/main.c))))

KERNEL_SRC  := $(call sources,boot kernel kernel/x86)
LIBL4_SRC   := $(filter-out libl4/crt0.%,$(call sources,libl4))
CRT0_SRC    := $(wildcard libl4/crt0.c libl4/crt0.asm)
CKPT_SRC    := $(call sources,ckptserver ckptserver/store)
CONSOLE_SRC := $(call sources,drivers/console) drivers/console/font.c
PAGER_SRC   := $(call sources,pager)
UEFI_SRC    := $(wildcard boot/uefi/*.c)
APPS        := $(call programs,apps)
GUESTLIB_SRC := $(call sources,tests/guest/lib)
GUEST_ONE   := $(basename $(notdir $(wildcard tests/guest/*.c)))
GUEST_MANY  := $(call programs,tests/guest)
BENCH_ONE   := $(basename $(notdir $(wildcard bench/*.c)))
BENCH_MANY  := $(call programs,bench)
BOOT_CFG    := apps/boot.cfg
HOST_TESTS  := $(basename $(notdir $(wildcard tests/host/*_test.c)))
HOST_TOOLS  := imgcheck perdurectl

# Host tests: the product's files each is linked with.
TEST_SRC_options_test := ckptserver/options.c
TEST_SRC_gpt_test   := ckptserver/gpt.c
TEST_SRC_cow_test   := $(addprefix ckptserver/,cow.c permit.c pages.c objcheck.c statehash.c store/sum.c store/sum_avx2.c)
TEST_SRC_ckptserver_test := ckptserver/archive.c ckptserver/objcheck.c ckptserver/wall.c
TEST_SRC_kobj_test  := ckptserver/kobj.c ckptserver/pages.c
TEST_SRC_discard_test := ckptserver/discard.c ckptserver/pages.c
TEST_SRC_badread_test := ckptserver/badread.c
TEST_SRC_boot_test  := boot/bootinfo.c boot/multiboot.c
TEST_SRC_elf_loader_test := boot/uefi/elf.c
TEST_SRC_uefi_menu_test := boot/uefi/menu.c
TEST_SRC_kernel_test := kernel/event.c kernel/object.c kernel/ticket.c kernel/wakeup.c
TEST_SRC_threadctl_test := $(addprefix kernel/,event.c framectl.c guard.c mapdb.c mapdb_evict.c object.c ptab.c space.c thread.c threadctl.c ticket.c)
TEST_SRC_activate_test := kernel/activate.c
TEST_SRC_mapdb_test := kernel/ptab.c kernel/mapdb.c kernel/mapdb_evict.c kernel/mapdb_check.c
TEST_SRC_mapdb_model_test := $(TEST_SRC_mapdb_test)
TEST_SRC_pager_test := $(addprefix pager/,archive.c elfimage.c mem.c pool.c object.c region.c startblock.c)
TEST_SRC_pager_tasks_test := $(filter-out pager/main.c pager/boot.c pager/reply.c pager/say.c pager/store.c,$(wildcard pager/*.c))
TEST_SRC_shell_test := apps/shell/parse.c
STORE_TEST_SRC      := $(call sources,ckptserver/store) tests/host/store_sim.c tests/host/store_help.c
TEST_SRC_store_test := $(STORE_TEST_SRC)
TEST_SRC_store_calls_test := $(STORE_TEST_SRC)
TEST_SRC_store_crash_test := $(STORE_TEST_SRC) tests/host/store_states.c
HOST_FAST := store_states_test
TEST_SRC_store_states_test := $(call sources,ckptserver/store) tests/host/store_sim.c tests/host/store_states.c
TEST_SRC_store_gens_test := $(STORE_TEST_SRC)
TEST_SRC_store_hash_test := $(STORE_TEST_SRC)
TEST_SRC_store_flush_test := $(STORE_TEST_SRC)
TEST_SRC_store_mend_test := $(STORE_TEST_SRC)
TEST_SRC_store_survey_test := $(STORE_TEST_SRC)
TEST_SRC_store_delta_test := $(STORE_TEST_SRC)
TEST_SRC_perdurectl_test := $(filter-out tools/perdurectl/main.c,$(call sources,tools/perdurectl ckptserver/store)) ckptserver/gpt.c ckptserver/options.c tests/host/saved_world.c
TEST_SRC_command_test := drivers/console/prompt.c libl4/date.c
TEST_SRC_stress_test :=
TEST_SRC_term_test  := apps/term/edit.c apps/term/history.c drivers/console/keyboard.c drivers/console/line.c \
		       drivers/console/prompt.c drivers/console/screen.c

# Fuzzers: the product's files each is linked with.
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/*.c)))
FUZZ_SRC_store     := $(call sources,ckptserver/store)
FUZZ_SRC_gpt       := ckptserver/gpt.c
FUZZ_SRC_bootinfo  := boot/bootinfo.c boot/multiboot.c
FUZZ_SRC_options   := ckptserver/options.c
FUZZ_SRC_archive   := pager/archive.c pager/boot.c pager/elfimage.c
FUZZ_SRC_rootimage := ckptserver/archive.c boot/uefi/elf.c
FUZZ_SRC_tables    := $(filter-out %/tool.c %/main.c %/commands.c %/cmd_change.c %/cmd_export.c %/cmd_import.c %/cmd_info.c %/cmd_verify.c,\
		      $(call sources,tools/perdurectl)) tests/host/saved_world.c ckptserver/gpt.c $(call sources,ckptserver/store)
FUZZ_SRC_stream    := $(addprefix tools/perdurectl/,cmd_import.c hash.c image.c json.c number.c world.c) ckptserver/gpt.c $(call sources,ckptserver/store)

# ---- what there is to build --------------------------------------------------------------------------------------
SYSTEM := $(B)/kernel.elf $(B)/kernel.sym $(B)/ckptserver
USER   := $(addprefix $(B)/bin/,console pager $(APPS))
GUEST  := $(addprefix $(B)/tests/,$(GUEST_ONE) $(GUEST_MANY)) $(addprefix $(B)/bench/,$(BENCH_ONE) $(BENCH_MANY))
UEFI   := $(B)/BOOTX64.EFI
RUN    := scripts/run $(if $(filter debug,$(MODE)),--debug-build)

.PHONY: all run debug test test-host fuzzers coverage bench soak headers-check size iso uefi clean help setup tools FORCE
all: $(SYSTEM) $(USER) $(B)/archive $(GUEST) $(UEFI)

help:
	@echo 'make [DEBUG=1] [CC=clang] [V=1]  build build/release (or build/debug)'
	@echo 'make run            build, make build/perdure.img if there is none, boot it on this terminal; again: resume'
	@echo 'make debug          the debug build, waiting for gdb on port 1234'
	@echo 'make test           every test; last line "N passed, N failed". make test-host: only those without QEMU'
	@echo 'make bench          benchmarks into build/bench'
	@echo 'make soak           kills, power cuts, crash states and mutants at length: [MINUTES=35] [SEED=N]'
	@echo 'make coverage       line and branch coverage of the checkpoint store by the host tests; details in build/coverage'
	@echo 'make iso, uefi      build/*/perdure.iso (GRUB 2, BIOS), build/*/BOOTX64.EFI'
	@echo 'make headers-check  every header compiles by itself; make size: text size of the release kernel'
	@echo 'make tools          build/host/perdurectl: looks into, checks and moves checkpoint partitions (tools/perdurectl)'
	@echo 'make setup          install missing Debian packages. make clean: remove build/'
	@echo 'scripts/run --help  everything else about booting it'

# ---- rules -------------------------------------------------------------------------------------------------------
FLAGS = $(USER_FLAGS)
$(O)/kernel/%.o $(O)/boot/%.o: FLAGS = $(KERNEL_FLAGS) $(UAPI)
$(O)/ckptserver/%.o:           FLAGS = $(USER_FLAGS) -Ickptserver -Ickptserver/store $(UAPI)
$(O)/pager/%.o:                FLAGS = $(USER_FLAGS) -Ipager $(UAPI)
$(O)/tests/%.o $(O)/bench/%.o: FLAGS = $(USER_FLAGS) -Itests/guest/lib -Itests/guest
$(O)/boot/uefi/%.o:            FLAGS = $(UEFI_FLAGS)

$(O)/%.c.o: %.c Makefile | $(O)/include/version.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(INCLUDE) $(DEFS) $(WARN) $(OPT) -MMD -MP -c $< -o $@
$(O)/%.asm.o: %.asm Makefile
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASM_FLAGS) $(DEFS) -MD $(@:.o=.d) -MP $< -o $@
# The console's font, from GNU Unifont as grub-common brings it.
$(O)/drivers/console/font.c: drivers/console/mkfont /usr/share/grub/unicode.pf2
	$(call say,FONT,$@)
	@mkdir -p $(@D)
	$(Q)drivers/console/mkfont /usr/share/grub/unicode.pf2 $@
$(O)/drivers/console/font.c.o: $(O)/drivers/console/font.c Makefile
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -Idrivers/console $(INCLUDE) $(DEFS) $(WARN) $(OPT) -MMD -MP -c $< -o $@
$(O)/include/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define PERDURE_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define PERDURE_VERSION "$(VERSION)"' > $@

%.sym: %.elf
	$(Q)nm -n $< > $@

$(B)/kernel.elf: $(call objects,$(KERNEL_SRC)) linker.ld Makefile
	$(call say,LD,$@)
	$(Q)$(LD) $(LD_FLAGS) -T linker.ld -Map=$(@:.elf=.map) $(filter %.o,$^) -o $@
$(B)/libl4.a: $(call objects,$(LIBL4_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# $(call program,output,sources): output.elf with symbols, output without.
define program
$1.elf: $(call objects,$(CRT0_SRC) $2) $(B)/libl4.a Makefile
	$$(call say,LD,$1)
	@mkdir -p $$(@D)
	$(Q)$(LD) $(USER_LD) -Map=$1.map $$(filter %.o,$$^) $(B)/libl4.a -o $$@
$1: $1.elf $1.sym
	$(Q)$(OBJCOPY) --strip-all $$< $$@
endef
$(eval $(call program,$(B)/ckptserver,$(CKPT_SRC)))
$(eval $(call program,$(B)/bin/console,$(CONSOLE_SRC)))
$(eval $(call program,$(B)/bin/pager,$(PAGER_SRC)))
$(foreach a,$(APPS),$(eval $(call program,$(B)/bin/$a,$(call sources,apps/$a))))
$(foreach t,$(GUEST_ONE),$(eval $(call program,$(B)/tests/$t,tests/guest/$t.c $(GUESTLIB_SRC))))
$(foreach t,$(GUEST_MANY),$(eval $(call program,$(B)/tests/$t,$(call sources,tests/guest/$t) $(GUESTLIB_SRC))))
$(foreach t,$(BENCH_ONE),$(eval $(call program,$(B)/bench/$t,bench/$t.c $(GUESTLIB_SRC))))
$(foreach t,$(BENCH_MANY),$(eval $(call program,$(B)/bench/$t,$(call sources,bench/$t) $(GUESTLIB_SRC))))

$(B)/archive: $(USER) $(BOOT_CFG) Makefile
	$(call say,TAR,$@)
	$(Q)scripts/mkarchive $@ $(USER) $(BOOT_CFG)

# ---- booting -----------------------------------------------------------------------------------------------------
$(O)/boot/uefi/bootinfo.c.o: boot/bootinfo.c Makefile | $(O)/include/version.h
	$(call say,CC,$< (UEFI))
	@mkdir -p $(@D)
	$(Q)$(CC) $(UEFI_FLAGS) $(INCLUDE) $(DEFS) $(WARN) $(OPT) -MMD -MP -c $< -o $@
$(B)/BOOTX64.EFI: $(call objects,$(UEFI_SRC)) $(O)/boot/uefi/bootinfo.c.o
	$(call say,EFI,$@)
	$(Q)$(LD) -nostdlib -shared -Bsymbolic -z noexecstack --no-warn-rwx-segments -T /usr/lib/elf_x86_64_efi.lds \
		/usr/lib/crt0-efi-x86_64.o $^ -L/usr/lib -lgnuefi -lefi -o $(@:.EFI=.so)
	$(Q)$(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc -j .rodata --target=efi-app-x86_64 --subsystem=10 $(@:.EFI=.so) $@
uefi: $(UEFI)
$(B)/perdure.iso: $(SYSTEM) $(B)/archive scripts/mkiso FORCE
	@$(MAKE) --no-print-directory DEBUG=1 build/debug/kernel.elf build/debug/ckptserver build/debug/archive
	$(call say,ISO,$@)
	$(Q)scripts/mkiso --build $(B) --debug build/debug --out $@
iso: $(B)/perdure.iso

setup:
	@scripts/setup
run: setup
	@$(MAKE) --no-print-directory all
	@$(RUN) --disk build/perdure.img
debug: setup
	@$(MAKE) --no-print-directory DEBUG=1 all
	@scripts/run --debug-build --disk build/perdure.img --gdb

# ---- tests -------------------------------------------------------------------------------------------------------
host_objects = $(addprefix $(H)/obj/,$(addsuffix .o,tests/host/$1.c $(TEST_SRC_$1)))
$(H)/obj/pager/%.o $(H)/obj/tests/host/pager%: HOST_FLAGS += -DL4_HOST_UTCB      # the test supplies the UTCB
$(H)/obj/%.c.o: %.c Makefile
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_FLAGS) -Wall -Wextra -Werror -MMD -MP -c $< -o $@
define host_test
$(H)/$1: $(call host_objects,$1)
	$$(call say,HOSTLD,$1)
	$(Q)$(HOST_CC) $(HOST_FLAGS) $$^ -lcmocka -o $$@
endef
$(foreach t,$(filter-out $(HOST_FAST),$(HOST_TESTS)),$(eval $(call host_test,$t)))
# Tests of very many cases: optimized, without sanitizers.
FAST_FLAGS := $(filter-out -fsanitize=% -fno-sanitize% -O1,$(HOST_FLAGS)) -O2
$(H)/fast/%.c.o: %.c Makefile
	$(call say,HOSTCC,$< (fast))
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(FAST_FLAGS) -Wall -Wextra -Werror -MMD -MP -c $< -o $@
define fast_test
$(H)/$1: $(addprefix $(H)/fast/,$(addsuffix .o,tests/host/$1.c $(TEST_SRC_$1)))
	$$(call say,HOSTLD,$1)
	$(Q)$(HOST_CC) $(FAST_FLAGS) $$^ -o $$@
endef
$(foreach t,$(HOST_FAST),$(eval $(call fast_test,$t)))

# Coverage: the same tests, with counters in every branch.
C := build/coverage
COVERAGE_TESTS := store_test store_survey_test store_gens_test store_hash_test store_flush_test store_mend_test store_delta_test store_calls_test store_crash_test store_states_test cow_test kobj_test badread_test gpt_test options_test ckptserver_test
COVERAGE_FLAGS := $(filter-out -fsanitize=% -fno-sanitize% -O1,$(HOST_FLAGS)) -O0 --coverage
$(C)/%.c.o: %.c Makefile
	$(call say,HOSTCC,$< (coverage))
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(COVERAGE_FLAGS) -Wall -Wextra -Werror -MMD -MP -c $< -o $@
define coverage_test
$(C)/$1: $(addprefix $(C)/,$(addsuffix .o,tests/host/$1.c $(TEST_SRC_$1)))
	$$(call say,HOSTLD,$1 (coverage))
	$(Q)$(HOST_CC) $(COVERAGE_FLAGS) $$^ -lcmocka -o $$@
endef
$(foreach t,$(COVERAGE_TESTS),$(eval $(call coverage_test,$t)))
$(C)/fuzz_replay: $(addprefix $(C)/,$(addsuffix .o,tests/host/fuzz_replay.c tests/fuzz/store.c $(FUZZ_SRC_store)))
	$(call say,HOSTLD,fuzz_replay (coverage))
	$(Q)$(HOST_CC) $(COVERAGE_FLAGS) $^ -o $@
coverage: $(addprefix $(C)/,$(COVERAGE_TESTS) fuzz_replay)
	@find $(C) -name '*.gcda' -delete
	@$(C)/fuzz_replay tests/fuzz/corpus/store/* > $(C)/fuzz_replay.log
	@for t in $(filter-out %/store_states_test %/fuzz_replay,$^); do STATES=600 $$t > $$t.log 2>&1 || { cat $$t.log; exit 1; }; done
	@$(C)/store_states_test --states 4000 > $(C)/store_states_test.log || { cat $(C)/store_states_test.log; exit 1; }
	@tests/coverage $(C)

# Fuzzers: libFuzzer comes with clang.
FUZZ_FLAGS := $(filter-out -fsanitize=%,$(HOST_FLAGS)) -fsanitize=fuzzer,address,undefined -Ipager -Itools/perdurectl -Itests/host -DL4_HOST_UTCB
fuzz_sources = tests/fuzz/$1.c $(FUZZ_SRC_$1)
define fuzzer
$(H)/fuzz/$1: $(call fuzz_sources,$1) $(wildcard tests/fuzz/*.h tests/host/*.h tools/perdurectl/*.h ckptserver/*.h ckptserver/store/*.h) Makefile
	$$(call say,FUZZER,$1)
	@mkdir -p $$(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -Wall -Wextra -Werror $(call fuzz_sources,$1) -o $$@
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$f)))
fuzzers: $(addprefix $(H)/fuzz/,$(FUZZERS))
# Not a test but a tool of tests, run on thousands of images: optimized, without sanitizers.
$(H)/imgcheck: tests/host/imgcheck.c $(addprefix tools/perdurectl/,hash.c image.c number.c tool.c world.c) ckptserver/gpt.c \
	       $(call sources,ckptserver/store) Makefile
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(filter-out -fsanitize=% -fno-sanitize% -O1,$(HOST_FLAGS)) -O2 -Wall -Wextra -Werror $(filter %.c,$^) -o $@

# What users have for their partitions, and tests try out.
PERDURECTL_SRC := $(call sources,tools/perdurectl ckptserver/store) ckptserver/gpt.c ckptserver/options.c
PERDURECTL_FLAGS := $(filter-out -fsanitize=% -fno-sanitize% -O1 -DHOST_TEST=1 -DDEBUG=1,$(HOST_FLAGS)) -O2
$(H)/perdurectl: $(PERDURECTL_SRC) $(wildcard tools/perdurectl/*.h ckptserver/*.h ckptserver/store/*.h kernel/objects.h pager/*.h) Makefile
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(PERDURECTL_FLAGS) -Wall -Wextra -Werror $(PERDURECTL_SRC) -o $@

test-host: $(addprefix $(H)/,$(HOST_TESTS))
	@scripts/test-host $^
# make on as many processors as there are, unless the user said on how many
PARALLEL = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
test: setup
	+@$(PARALLEL) DEBUG=0 all $(addprefix $(H)/,$(HOST_TESTS) $(HOST_TOOLS)) fuzzers
	+@$(PARALLEL) DEBUG=1 all
	@tests/run
tools: $(addprefix $(H)/,$(HOST_TOOLS))
bench: setup
	@$(MAKE) --no-print-directory DEBUG=0 all
	@bench/run
soak: setup
	+@$(PARALLEL) DEBUG=0 all $(addprefix $(H)/,$(HOST_TESTS) $(HOST_TOOLS)) fuzzers
	+@$(PARALLEL) DEBUG=1 all
	@tests/run --soak $(MINUTES) $(if $(SEED),--seed $(SEED))

# $(call check_headers,command,headers): the command with each header in turn; fails after having tried all.
check_headers = @r=0; for h in $(sort $2); do $1 -fsyntax-only -include $$h /dev/null || { echo "$$h does not compile by itself"; r=1; }; done; exit $$r
CHECK_C      = $(CC) -x c $(INCLUDE) $(DEFS) $(WARN) -Wno-unused
headers-check: $(O)/include/version.h
	$(call check_headers,$(CHECK_C) $(KERNEL_FLAGS),$(wildcard kernel/*.h kernel/x86/*.h boot/*.h))
	$(call check_headers,$(CHECK_C) $(USER_FLAGS) -Ickptserver -Ickptserver/store $(UAPI),$(wildcard ckptserver/*.h ckptserver/store/*.h))
	$(call check_headers,$(CHECK_C) $(USER_FLAGS) -Itests/guest/lib,$(wildcard libl4/*.h libl4/include/*.h libl4/include/l4/*.h \
		pager/*.h drivers/*/*.h apps/*/*.h tests/guest/lib/*.h))
	$(call check_headers,$(HOST_CC) -x c++ -std=c++11 -ffreestanding $(INCLUDE) -Wall -Wextra -Werror,$(wildcard libl4/include/l4/*.h))
	@echo 'every header compiles by itself'
size:
	@$(MAKE) --no-print-directory DEBUG=0 build/release/kernel.elf
	@size -A build/release/kernel.elf | awk '$$1 == ".text" { printf "kernel text: %d bytes (%.1f KiB)\n", $$2, $$2 / 1024 } \
		$$1 ~ /^\.(boot|init|rodata|data|bss)$$/ { printf "%11s: %d bytes\n", substr($$1, 2), $$2 }'
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
