"""The manifest is one that Kubernetes takes, and has each job in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from camdl.config.layers import SECRETS
from camdl.domain.schedule import jobs
from camdl.scheduling import kubernetes
from camdl.scheduling.place import Place

SHIPPED = Path(__file__).parents[2] / "deployment/kubernetes/camdl.yaml"
ODD = Place(program=Path('/a "b": #c/camdl'), config=Path("/x: y"), directory=Path("/z 'q'"))


def documents(place: Place, minutes: int = 10, image: str = kubernetes.IMAGE) -> list[Any]:
    """What is in the manifest."""
    text = kubernetes.manifest(jobs(minutes), place, image, minutes)
    return list(yaml.safe_load_all(text))


def test_the_shipped_manifest_is_that_of_the_defaults() -> None:
    """The file in deployment/ is what camdl schedule prints."""
    text = kubernetes.manifest(jobs(10), Place(), kubernetes.IMAGE, 10)
    command = "camdl schedule --format kubernetes --program /opt/camdl/bin/camdl"
    assert SHIPPED.read_text() == text, f"write it anew: {command} >{SHIPPED}"


@pytest.mark.parametrize("place", [Place(), ODD])
def test_kubernetes_takes_it(place: Place) -> None:
    """By its own schema, with no key that it does not know; strings stay what they are."""
    found = documents(place)
    for document in found:
        kubernetes_validate.validate(document, "1.28", strict=True)
    cron_jobs = [one for one in found if one["kind"] == "CronJob"]
    for cron_job, job in zip(cron_jobs, jobs(10), strict=True):
        (container,) = pod(cron_job)["containers"]
        assert container["command"] == list(place.command(job))
        assert container["workingDir"] == str(place.directory)
        assert container["volumeMounts"][0]["mountPath"] == str(place.directory)


def pod(cron_job: Any) -> Any:
    """What is run."""
    return cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_each_job_runs_alone_and_without_rights() -> None:
    """No two at once, no root, nothing to write to but its volumes, and an end."""
    _, config, *cron_jobs = documents(Place(), 30, "registry.example/camdl:1")
    assert "download_interval_minutes = 30" in config["data"]["config.toml"]
    for cron_job, job in zip(cron_jobs, jobs(30), strict=True):
        spec, its_pod = cron_job["spec"], pod(cron_job)
        assert (spec["schedule"], spec["timeZone"]) == (job.cron, "Etc/UTC")
        assert spec["concurrencyPolicy"] == "Forbid"
        assert 0 < spec["startingDeadlineSeconds"] <= job.every.total_seconds()
        longest = Place().longest(job) / timedelta(seconds=1)
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == longest
        (container,) = its_pod["containers"]
        assert container["image"] == "registry.example/camdl:1"
        assert its_pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_secrets_are_files_that_need_not_be_there() -> None:
    """Any of them is found by itself; none is in the environment of what camdl starts."""
    _, _, *cron_jobs = documents(Place())
    for its_pod in map(pod, cron_jobs):
        (container,) = its_pod["containers"]
        environment = {one["name"]: one["value"] for one in container["env"]}
        assert environment.keys() == {"HOME", "CREDENTIALS_DIRECTORY"}
        (mount,) = (one for one in container["volumeMounts"] if one["name"] == "secrets")
        assert mount["mountPath"] == environment["CREDENTIALS_DIRECTORY"]
        assert mount["readOnly"] is True
        (volume,) = (one["secret"] for one in its_pod["volumes"] if one["name"] == "secrets")
        # The group in which the pod runs may read it, and nobody else.
        assert volume == {"secretName": "camdl", "optional": True, "defaultMode": 0o440}
        assert its_pod["securityContext"]["fsGroup"] == its_pod["securityContext"]["runAsGroup"]
    head, _, _ = SHIPPED.read_text().partition("apiVersion")
    assert all(secret in head for secret in SECRETS)


def test_a_remark_is_there_to_be_read() -> None:
    """Where an interval cannot be had, the manifest says so."""
    assert "Mind: no cron line" in kubernetes.manifest(jobs(7), Place(), kubernetes.IMAGE, 7)
