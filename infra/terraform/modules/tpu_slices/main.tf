# What Google lets, in one place. Sources, under docs.cloud.google.com: tpu/docs/{v5e,v5p,v6e,tpu7x} for topologies and
# machines, kubernetes-engine/docs/concepts/plan-tpus for labels, tpu/docs/runtimes for runtimes, and
# tpu/docs/setup-persistent-disk for disks. v5p and tpu7x go further than 512 chips; no replica of a model does.
locals {
  cubes = [
    "2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x4x12", "4x8x8", "4x4x20", "4x8x12", "4x4x28", "8x8x8",
  ]
  planes = ["1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"]

  generations = {
    v5e = {
      topologies      = local.planes
      machines        = { "1" = "ct5lp-hightpu-1t", "4" = "ct5lp-hightpu-4t", "8" = "ct5lp-hightpu-8t" }
      gke_accelerator = "tpu-v5-lite-podslice"
      disk_type       = "pd-balanced"
      workload_policy = false
      vm              = { prefix = "v5litepod", units_per_chip = 1, runtime = "v2-alpha-tpuv5-lite" }
    }
    v5p = {
      topologies      = local.cubes
      machines        = { "4" = "ct5p-hightpu-4t" }
      gke_accelerator = "tpu-v5p-slice"
      disk_type       = "pd-balanced"
      workload_policy = false
      vm              = { prefix = "v5p", units_per_chip = 2, runtime = "v2-alpha-tpuv5" } # counted in cores
    }
    v6e = {
      topologies      = local.planes
      machines        = { "1" = "ct6e-standard-1t", "4" = "ct6e-standard-4t", "8" = "ct6e-standard-8t" }
      gke_accelerator = "tpu-v6e-slice"
      disk_type       = "hyperdisk-balanced"
      workload_policy = false
      vm              = { prefix = "v6e", units_per_chip = 1, runtime = "v2-alpha-tpuv6e" }
    }
    tpu7x = {
      topologies      = local.cubes
      machines        = { "4" = "tpu7x-standard-4t" }
      gke_accelerator = "tpu7x"
      disk_type       = "hyperdisk-balanced"
      workload_policy = true # in place of a compact placement
      vm              = null # the Cloud TPU API ends with v6e
    }
  }

  chips = {
    for topology in concat(local.planes, local.cubes) : topology =>
    tonumber(split("x", topology)[0]) * tonumber(split("x", topology)[1]) * tonumber(try(split("x", topology)[2], 1))
  }

  # A machine that holds the whole slice where there is one, else as many of four chips as it takes.
  slices = merge([
    for generation, kind in local.generations : {
      for topology in kind.topologies : "${generation}:${topology}" => {
        generation      = generation
        topology        = topology
        chips           = local.chips[topology]
        chips_per_host  = contains(keys(kind.machines), tostring(local.chips[topology])) ? local.chips[topology] : 4
        hosts           = contains(keys(kind.machines), tostring(local.chips[topology])) ? 1 : local.chips[topology] / 4
        machine_type    = lookup(kind.machines, tostring(local.chips[topology]), kind.machines["4"])
        gke_accelerator = kind.gke_accelerator
        disk_type       = kind.disk_type
        workload_policy = kind.workload_policy
        vm_accelerator  = kind.vm == null ? null : "${kind.vm.prefix}-${local.chips[topology] * kind.vm.units_per_chip}"
        vm_runtime      = kind.vm == null ? null : kind.vm.runtime
      }
    }
  ]...)
}
