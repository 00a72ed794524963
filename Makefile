# SPDX-License-Identifier: GPL-2.0
#
# nf_looptrack, a kernel module, and looptrack, its tool. "make help" lists the
# targets. Everything built lands in build/; kernels to build for and to boot
# come from Debian's packages and land in ~/.cache/looptrack ($LOOPTRACK_CACHE).

VERSION := $(shell cat VERSION)
KERNEL  ?= all
TESTS   ?=
PREFIX  ?= /usr
DESTDIR ?=

kernels := $(if $(filter all,$(KERNEL)),6.1 6.12,$(KERNEL))
shell_k := $(if $(filter all,$(KERNEL)),6.12,$(KERNEL))
dkms    := $(DESTDIR)/usr/src/nf_looptrack-$(VERSION)
vm      := selftests/vm/vm
sum     := scripts/tap-summary

.DEFAULT_GOAL := all
.PHONY: all deps module tool vm demo check check-debug check-netfilter test mutants lint bench gen \
	spec-check troubleshooting install uninstall clean help

all: tool ## the tool, and the module for the running kernel
	scripts/build-module /lib/modules/$(shell uname -r)/build

deps: ## install what building and testing need (apt-get, only if something is missing)
	@scripts/deps

module: ## the module, for KERNEL=6.1|6.12|6.12-rt|debug|all
	@set -e; for k in $(kernels); do scripts/build-module $$k; done

tool: ## build/tools/looptrack
	@$(MAKE) --no-print-directory -C tools O=$(CURDIR)/build/tools

vm: deps tool ## a shell in a virtual machine that has the module loaded (KERNEL=6.12)
	@scripts/build-module $(shell_k)
	@$(vm) -k $(shell_k)

demo: deps tool ## what goes wrong without the module, and no longer with it (KERNEL=6.12)
	@scripts/build-module $(shell_k)
	@scripts/build-selftests
	@$(vm) -k $(shell_k) selftests/demo.sh

check: deps tool ## every check and, on each KERNEL, every test; ends with "N passed, N failed"
	@scripts/check -f -t "$(TESTS)" $(kernels) | $(sum)

check-debug: deps tool ## the tests on a kernel built with KASAN, lockdep, kmemleak, fault injection
	@scripts/check -t "$(TESTS)" debug | $(sum)

check-netfilter: deps tool ## the kernel's own netfilter selftests, without the module and with it, on KERNEL
	@scripts/deps netfilter
	@scripts/check-netfilter -t "$(TESTS)" $(kernels) | $(sum)

test: tool ## only the tests, only TESTS="a.sh b.sh" if given, on KERNEL
	@scripts/check -t "$(TESTS)" $(kernels) | $(sum)

mutants: deps ## guards of the module taken out one by one: do the tests notice? (KERNEL=6.12)
	@scripts/mutants -k $(shell_k)

lint: deps ## checkpatch, sparse, shellcheck, mandoc
	@scripts/lint | $(sum)

spec-check: deps tool ## the netlink spec fits its schema, the generated files fit the spec
	@scripts/check-spec | $(sum)

troubleshooting: deps tool ## what the commands of docs/troubleshooting.md say, anew (KERNEL=6.12)
	@KERNEL=$(shell_k) scripts/troubleshooting

gen: deps ## generate the netlink code from uapi/spec/looptrack.yaml
	@scripts/generate

bench: deps tool ## what the module costs, counted in instructions (KERNEL=6.12)
	@scripts/build-module $(shell_k)
	@scripts/build-selftests
	@$(vm) -i -k $(shell_k) selftests/bench/run.sh

install: ## the module for DKMS, the tool, its manual pages and unit (DESTDIR, PREFIX, DKMSFLAGS)
	$(MAKE) --no-print-directory -C tools O=$(CURDIR)/build/tools DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install
	install -d $(dkms)
	cp -r Kbuild VERSION module uapi $(dkms)/
	sed 's/#MODULE_VERSION#/$(VERSION)/' dkms.conf >$(dkms)/dkms.conf
ifeq ($(DESTDIR),)
	dkms install --force $(DKMSFLAGS) nf_looptrack/$(VERSION)
endif

uninstall: ## undo install
	$(MAKE) --no-print-directory -C tools DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) uninstall
ifeq ($(DESTDIR),)
	-dkms remove nf_looptrack/$(VERSION) --all
endif
	rm -rf $(dkms)

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
