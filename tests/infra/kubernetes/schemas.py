"""Objects against their schemas: Kubernetes' own, and strict ones for what we use of others (`schemas/*.json`)."""

import json
from pathlib import Path

import jsonschema
import kubernetes_validate

from tests.infra.kubernetes.manifests import Manifest, pod_templates

KUBERNETES = "1.33"  # the oldest in GKE's channels, so that nothing newer is used

CUSTOM = {file.stem: file for file in (Path(__file__).parent / "schemas").glob("*.json")}


def check(manifest: Manifest) -> None:
    """Raises jsonschema.ValidationError, which says where and what; strict, so that no field is unknown."""
    if manifest["kind"] not in CUSTOM:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        return
    schema = json.loads(CUSTOM[manifest["kind"]].read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(manifest)
    for name, template in pod_templates((manifest,)):
        core = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": name}, "template": template}
        kubernetes_validate.validate(core, KUBERNETES, strict=True)
