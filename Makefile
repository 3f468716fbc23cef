# Daypass: an SSH certificate authority.
# SPDX-License-Identifier: Apache-2.0

PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint format bench fuzz sanitize check-units install clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Install what the build needs and this machine lacks (Debian, Ubuntu)
	@scripts/setup

build: setup ## Build the release programs, with Swift's runtime inside
	@scripts/build

demo: setup ## Issue certificates, log in with one, and see three refusals
	@scripts/demo

test: ## Run all tests, then fuzz for a minute
	@scripts/test

lint: setup ## Check format, warnings, imports, headers and scripts
	@scripts/lint

format: ## Format all Swift files in place
	@scripts/format

bench: setup ## Measure, beside libsodium and ssh-keygen
	@scripts/bench

fuzz: setup ## Fuzz every parser (scripts/fuzz --seconds N)
	@scripts/fuzz

sanitize: setup ## Run the tests under AddressSanitizer, then under ThreadSanitizer
	@scripts/sanitize

check-units: ## Try the systemd units in a virtual machine, after make build
	@scripts/check-units

install: ## Install what `make build` made under DESTDIR and PREFIX (/usr/local), PAMDIR
	@scripts/install

clean: ## Remove everything that was built
	@scripts/clean
