output "address" {
  description = "Where it serves: some minutes after the slice is ready, when it is installed and the model is loaded."
  value       = module.slice.address
}

output "tunnel" {
  description = "Command that brings it to http://127.0.0.1:8000, encrypted, whoever may call."
  value       = module.slice.tunnel
}

output "chips" {
  description = "Chips that are paid for by the hour from now on."
  value       = module.slice.chips
}

output "state" {
  description = "State of the slice."
  value       = module.slice.state
}
