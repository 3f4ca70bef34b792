"""What a person reads who asks for something that is not to be had."""

import json

import pytest

from tests.infra.terraform.command import Terraform

TPU_NODE_POOL = {
    "project_id": "my-project",
    "name": "slice",
    "cluster": "tradewind",
    "zone": "us-east5-a",
    "service_account": "node@my-project.iam.gserviceaccount.com",
    "kms_key": "key",
}
TPU_VM = {
    "project_id": "my-project",
    "name": "slice",
    "zone": "us-east5-a",
    "subnetwork": "nodes",
    "tags": [],
    "service_account": "slice@my-project.iam.gserviceaccount.com",
    "release": "gs://my-releases/0.1.0",
}
NETWORK = {"name": "tradewind", "region": "us-east5"}
IAM = {"project_id": "my-project", "name": "tradewind"}


@pytest.mark.parametrize(
    ("module", "given", "says"),
    [
        (
            "tpu_node_pool",
            TPU_NODE_POOL | {"topology": "v6e:3x5"},
            ['"v6e:3x5"', "v6e: 1x1, 2x2, 2x4, 4x4, 4x8, 8x8, 8x16, 16x16", "v5p: 2x2x1, 2x2x2"],
        ),
        ("tpu_node_pool", TPU_NODE_POOL | {"topology": "v7x:2x2x1"}, ['"v7x:2x2x1"', "tpu7x: 2x2x1, 2x2x2"]),
        (
            "tpu_node_pool",
            TPU_NODE_POOL | {"topology": "v6e:4x4", "capacity": "reservation"},
            ["capacity is reservation, but no reservation is named"],
        ),
        ("tpu_vm", TPU_VM | {"topology": "tpu7x:2x2x1"}, ['"tpu7x:2x2x1"', "use the module tpu_node_pool"]),
        ("network", NETWORK | {"caller_ranges": ["0.0.0.0/0"]}, ["0.0.0.0/0", "/8 and narrower"]),
        (
            "iam",
            IAM | {"workloads": {"gateway": {"project_roles": ["roles/editor"]}}},
            ["roles/editor", "Grant what it needs"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_says_what_was_given_and_what_is_accepted(terraform: Terraform, module: str, given: dict, says: list[str]):
    assert all(part in refusal(terraform, f"modules/{module}", given) for part in says)


def refusal(terraform: Terraform, folder: str, variables: dict) -> str:
    """The message of the one error that planning a module with `variables` ends in."""
    test = terraform.copy / folder / "tests" / "refusal.tftest.hcl"
    mocks = '\nmock_provider "google" {}\nmock_provider "google-beta" {}\n'
    values = "".join(f"{name} = {json.dumps(value)}\n" for name, value in variables.items())
    test.write_text(f'{mocks}variables {{\n{values}}}\nrun "refused" {{\n  command = plan\n}}\n', "utf-8")
    try:
        result = terraform.run(folder, "test", "-json", "-filter=tests/refusal.tftest.hcl")
    finally:
        test.unlink()
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    (error,) = (message["diagnostic"] for message in messages if message["type"] == "diagnostic")
    assert error["severity"] == "error"
    return error["detail"]
