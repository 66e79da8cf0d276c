# The doors of the house. Each is a script, so that it also works without make.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test soak bench audit fmt

help: ## what each of these does
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 12

demo: ## the whole story on a throwaway PostgreSQL, in a minute after the build
	@scripts/demo

test: ## every rule and every test on real servers; installs what is missing
	@scripts/test

soak: ## the long random runs: make soak [SEED=n] [MINUTES=n] [SIZES=1] [GARAGE=1]
	@scripts/soak

bench: ## figures beside peers and floors
	@scripts/bench

audit: ## advisories on our dependencies: make audit ADVISORY_DB=directory
	@scripts/audit

fmt: ## format the code
	@bash -c '. scripts/environment.sh && cargo fmt --all'
