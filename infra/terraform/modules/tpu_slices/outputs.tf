output "slices" {
  description = "Every slice that is let, by generation:topology, e.g. v6e:4x4: its hosts, chips, machines and names."
  value       = local.slices
}

output "accepted" {
  description = "What is accepted, as a sentence for error messages: all topologies by generation."
  value = join("; ", [
    for generation, kind in local.generations : "${generation}: ${join(", ", kind.topologies)}"
  ])
}
