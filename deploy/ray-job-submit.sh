#!/usr/bin/env bash
# Form checked, never run. Measure on a Ray cluster that is there, from a machine outside of it: the driver runs on the
# head, where raybench must be installed, and joins the cluster by `auto`.
#
#   HEAD=10.0.0.1 REPORTS=/data/reports deploy/ray-job-submit.sh cpus=[powers]
#
# HEAD : host of the dashboard. REPORTS : absolute folder on the head that outlives the job.
# A cluster with a token: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH, or RAY_AUTH_TOKEN, in this shell.
set -euo pipefail

: "${HEAD:?set HEAD to the host of the dashboard, e.g. HEAD=10.0.0.1}"
: "${REPORTS:?set REPORTS to an absolute folder on the head, e.g. REPORTS=/data/reports}"

ray job submit --address "http://$HEAD:8265" --working-dir . --entrypoint-num-cpus 0 -- \
  raybench run study=quick cluster=existing cluster.address=auto "reports=$REPORTS" "$@"
