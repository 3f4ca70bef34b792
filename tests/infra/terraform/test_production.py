"""What the production root makes, resource by resource, as Terraform's own test of it leaves the state."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.terraform.command import Terraform

Json = dict[str, Any]
LABELS = ("labels", "user_labels", "resource_labels")


@pytest.fixture(scope="module")
def states(terraform: Terraform) -> dict[str, Json]:
    """The state that each run of the root's tests ends with, by the run's name."""
    return terraform.states("examples/production")


def resources(state: Json) -> list[Json]:
    """Every resource of a state, those of modules included."""

    def within(module: Json) -> Iterator[Json]:
        yield from (resource for resource in module.get("resources", []) if resource["mode"] == "managed")
        for child in module.get("child_modules", []):
            yield from within(child)

    return list(within(state["root_module"]))


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything that is written in a resource, with the names that lead there."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def test_the_bill_knows_what_is_whose(states: dict[str, Json]):
    """All that can be labelled is, and so is what the machines of node pools and the database are billed as."""
    state = states["two_kinds_of_slices_and_a_fallback"]
    schemas: Json = {}
    for provider in state["provider_schemas"].values():
        schemas |= provider["resource_schemas"]
    labelled = set()
    for resource in resources(state):
        kind, values = resource["type"], resource["values"]
        places = [values.get(attribute) for attribute in LABELS if attribute in schemas[kind]["block"]["attributes"]]
        if kind == "google_monitoring_notification_channel":
            places = [values["user_labels"]]  # its `labels` are the address that is written to
        elif kind == "google_container_node_pool":
            places = [values["node_config"][0]["resource_labels"]]
        elif kind == "google_sql_database_instance":
            places = [values["settings"][0]["user_labels"]]
        for labels in places:
            assert labels is not None and labels.get("app") == "tradewind", resource["address"]
            labelled.add(kind)
    assert labelled >= {
        "google_artifact_registry_repository",
        "google_compute_global_address",
        "google_container_cluster",
        "google_container_node_pool",
        "google_dns_managed_zone",
        "google_kms_crypto_key",
        "google_memorystore_instance",
        "google_sql_database_instance",
        "google_storage_bucket",
    }


def test_no_machine_has_a_public_address(states: dict[str, Json]):
    state = states["two_kinds_of_slices_and_a_fallback"]
    private = {
        (resource["type"], path[-1]): value
        for resource in resources(state)
        for path, value in leaves(resource["values"])
        if path and path[-1] in {"enable_private_nodes", "ipv4_enabled", "access_config"}
    }
    assert private == {
        ("google_container_cluster", "enable_private_nodes"): True,
        ("google_container_node_pool", "enable_private_nodes"): True,
        ("google_sql_database_instance", "ipv4_enabled"): False,
    }
    pools = [resource for resource in resources(state) if resource["type"] == "google_container_node_pool"]
    assert len(pools) == 4
    assert all(pool["values"]["network_config"][0]["enable_private_nodes"] for pool in pools)


def test_all_is_encrypted_with_our_key(states: dict[str, Json]):
    """Whatever takes a key of the customer's has it: disks, buckets, images, secrets, database, cache."""
    state = states["two_kinds_of_slices_and_a_fallback"]
    (key,) = (resource for resource in resources(state) if resource["type"] == "google_kms_crypto_key")
    names = {"boot_disk_kms_key", "default_kms_key_name", "encryption_key_name", "key_name", "kms_key", "kms_key_name"}
    keys = [
        (resource["type"], path[-1], value)
        for resource in resources(state)
        for path, value in leaves(resource["values"])
        if path and path[-1] in names
    ]
    assert {value for _, _, value in keys} == {key["values"]["id"]}
    assert {kind for kind, _, _ in keys} == {
        "google_artifact_registry_repository",
        "google_container_cluster",
        "google_container_node_pool",
        "google_memorystore_instance",
        "google_sql_database_instance",
        "google_storage_bucket",
    }


def test_nothing_secret_is_in_the_state(states: dict[str, Json]):
    state = states["two_kinds_of_slices_and_a_fallback"]
    secrets = {
        (resource["address"], path[-1])
        for resource in resources(state)
        if resource["type"] != "google_container_cluster"  # computed there, and empty without client certificates
        for path, value in leaves(resource["values"])
        if path and value and ("password" in path[-1] or path[-1] in {"private_key", "auth_token", "service_key"})
    }
    assert secrets == set()


def test_destroy_leaves_nothing_that_costs(states: dict[str, Json]):
    """With deletion_protection = false nothing refuses to go and nothing of it stays behind."""
    kept = {
        (resource["address"], path[-1], value)
        for resource in resources(states["may_be_destroyed"])
        for path, value in leaves(resource["values"])
        if path
        and (
            (path[-1] in {"deletion_protection", "deletion_protection_enabled", "retain_backups_on_delete"} and value)
            or (path[-1] == "force_destroy" and resource["type"] == "google_storage_bucket" and not value)
            or (path[-1] == "retention_duration_seconds" and value)
            or value in {"ABANDON", "PREVENT"}
        )
    }
    assert kept == set()


def test_by_default_what_is_precious_refuses_to_go(states: dict[str, Json]):
    state = states["two_kinds_of_slices_and_a_fallback"]
    protected = {
        resource["type"]
        for resource in resources(state)
        for path, value in leaves(resource["values"])
        if path and path[-1] in {"deletion_protection", "deletion_protection_enabled"} and value is True
    }
    assert protected == {"google_container_cluster", "google_sql_database_instance", "google_memorystore_instance"}
