"""A manifest for Kubernetes: a CronJob a job, the volume of the archive and the configuration."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.domain.schedule import Job
    from camdl.scheduling.place import Place

IMAGE = f"camdl:{__version__}"

_HEAD = """\
# Starts camdl in a cluster: kubectl apply -f this file. Set the image to yours, and see to it that
# all of it runs on one node, or that the volume can be mounted by many.
#
# What nobody else may know is in a Secret called camdl. None of its keys need be there, nor itself:
# {secrets}.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: camdl
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 50Gi
---
# Every key is explained in what this prints: camdl config init -
apiVersion: v1
kind: ConfigMap
metadata:
  name: camdl
data:
  config.toml: |
    download_interval_minutes = {minutes}
"""
# Chromium puts its processes into namespaces of their own. Container runtimes keep everybody from
# making any unless they have a profile that allows it, and Chromium without its sandbox is worse.
_SECCOMP = {True: "Unconfined", False: "RuntimeDefault"}
_CREDENTIALS = "/run/credentials"
_MEMORY = {True: "2Gi", False: "512Mi"}
_JOB = """\
---
# {name}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: camdl-{id}
spec:
  schedule: "{cron}"
  timeZone: Etc/UTC
  # Two at once would only wait for each other; what was missed is done once.
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {starting}
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      # The next run goes on where this one stopped.
      backoffLimit: 0
      activeDeadlineSeconds: {longest}
      template:
        metadata:
          labels:
            app.kubernetes.io/name: camdl
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          # Else a service called camdl would set variables that are none of camdl's settings.
          enableServiceLinks: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            runAsGroup: 10001
            fsGroup: 10001
            fsGroupChangePolicy: OnRootMismatch
            seccompProfile:
              type: {seccomp}
          containers:
            - name: camdl
              image: {image}
              command: {command}
              workingDir: {directory}
              env:
                - name: HOME
                  value: /tmp
                # Files, as what is in the environment is the browser's to read too.
                - name: CREDENTIALS_DIRECTORY
                  value: {credentials}
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop: [ALL]
              resources:
                requests:
                  cpu: 100m
                  memory: 128Mi
                limits:
                  cpu: "2"
                  memory: {memory}
              volumeMounts:
                - name: archive
                  mountPath: {directory}
                - name: config
                  mountPath: /etc/camdl
                  readOnly: true
                - name: secrets
                  mountPath: {credentials}
                  readOnly: true
                - name: tmp
                  mountPath: /tmp
                - name: shm
                  mountPath: /dev/shm
          volumes:
            - name: archive
              persistentVolumeClaim:
                claimName: camdl
            - name: config
              configMap:
                name: camdl
            - name: secrets
              secret:
                secretName: camdl
                optional: true
                defaultMode: 0440
            - name: tmp
              emptyDir: {{}}
            - name: shm
              emptyDir:
                medium: Memory
                sizeLimit: 256Mi
"""


def manifest(jobs: Sequence[Job], place: Place, image: str, interval_minutes: int) -> str:
    """All of it as YAML, which begins at the configured interval; times of day are UTC."""
    head = _HEAD.format(minutes=interval_minutes, secrets=", ".join(place.secrets))
    return head + "".join(_cron_job(job, place, image) for job in jobs)


def _cron_job(job: Job, place: Place, image: str) -> str:
    is_download = job.verb == "download"
    return _JOB.format(
        name=f"{job.name}{f'. Mind: {job.remark}' if job.remark else ''}",
        id=job.id,
        cron=job.cron,
        starting=min(job.every, timedelta(hours=1)) // timedelta(seconds=1),
        longest=place.longest(job) // timedelta(seconds=1),
        seccomp=_SECCOMP[is_download],
        memory=_MEMORY[is_download],
        image=json.dumps(image),
        # A list of texts in JSON is one in YAML.
        command=json.dumps(list(place.command(job))),
        directory=json.dumps(str(place.directory)),
        credentials=_CREDENTIALS,
    )
