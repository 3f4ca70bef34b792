"""The providers that the other tests run with know their schemas: they find what is wrong, and pass what is right."""

import pytest

from tests.infra.terraform.command import Terraform

PROVIDERS = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 8.7"
    }
  }
}
"""
BUCKET = """
resource "google_storage_bucket" "this" {
  name     = "mine"
  location = "EU"
  versioning {
    enabled = true
  }
}
"""
SLICE = """
resource "google_tpu_v2_vm" "this" {
  PROVIDER
  name            = "slice"
  runtime_version = "v2-alpha-tpuv6e"
}
"""


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (BUCKET, None),
        (SLICE.replace("PROVIDER", "provider = google-beta"), None),
        (BUCKET.replace("location", "locatoin"), 'An argument named "locatoin" is not expected here'),
        (BUCKET.replace('location = "EU"', ""), 'The argument "location" is required'),
        (BUCKET.replace("enabled = true", 'enabled = "perhaps"'), "a bool is required"),
        (BUCKET.replace("versioning", "versoning"), 'Blocks of type "versoning" are not expected here'),
        (BUCKET + "output x { value = google_storage_bucket.this.adress }", "no argument, nested block, or exported"),
        (BUCKET.replace("google_storage_bucket", "google_storage_buckets"), "does not support resource type"),
        (SLICE.replace("PROVIDER", ""), "does not support resource type"),
        (BUCKET.replace("versioning {", "versioning {}\n  versioning {"), "Too many versioning blocks"),
    ],
    ids=["right", "right, beta", "argument", "missing", "type", "block", "output", "resource", "beta on GA", "twice"],
)
def test_finds_what_is_wrong(terraform: Terraform, written: str, error: str | None):
    folder = terraform.copy / "examples" / "written"
    folder.mkdir(exist_ok=True)
    (folder / "main.tf").write_text(PROVIDERS + written, "utf-8")
    result = terraform.run("examples/written", "validate")
    found = " ".join(result.stderr.split())
    assert (result.returncode == 0) == (error is None), found
    assert error is None or error in found
