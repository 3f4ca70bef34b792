run "one_host_where_a_machine_holds_the_slice" {
  assert {
    condition     = output.slices["v6e:2x4"].hosts == 1 && output.slices["v6e:2x4"].machine_type == "ct6e-standard-8t"
    error_message = "v6e:2x4 is one machine of eight chips."
  }
  assert {
    condition     = output.slices["v5e:1x1"].chips == 1 && output.slices["v5e:1x1"].machine_type == "ct5lp-hightpu-1t"
    error_message = "v5e:1x1 is one machine of one chip."
  }
}

run "machines_of_four_chips_beyond" {
  assert {
    condition = alltrue([
      output.slices["v6e:4x4"].hosts == 4,
      output.slices["v6e:4x4"].chips_per_host == 4,
      output.slices["v6e:4x4"].machine_type == "ct6e-standard-4t",
      output.slices["v5p:2x2x4"].hosts == 4,
      output.slices["tpu7x:4x4x4"].hosts == 16,
      output.slices["v5e:16x16"].hosts == 64,
    ])
    error_message = "Larger slices are made of machines of four chips."
  }
  assert {
    condition     = alltrue([for slice in output.slices : slice.hosts * slice.chips_per_host == slice.chips])
    error_message = "Hosts times their chips are the chips of the slice."
  }
}

run "names_as_the_tpu_api_has_them" {
  assert {
    condition = alltrue([
      output.slices["v5e:4x4"].vm_accelerator == "v5litepod-16",
      output.slices["v6e:2x4"].vm_accelerator == "v6e-8",
      output.slices["v5p:2x2x1"].vm_accelerator == "v5p-8", # cores, two to a chip
      output.slices["tpu7x:2x2x1"].vm_accelerator == null,
    ])
    error_message = "The TPU API counts v5p in cores, the others in chips, and knows no tpu7x."
  }
}

run "says_what_is_accepted" {
  assert {
    condition     = strcontains(output.accepted, "v6e: 1x1, 2x2, 2x4, 4x4, 4x8, 8x8, 8x16, 16x16")
    error_message = "The list for error messages names all topologies of a generation."
  }
}
