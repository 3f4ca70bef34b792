output "notification_channels" {
  description = "Ids of the channels, for a budget to use as well."
  value       = [for channel in google_monitoring_notification_channel.email : channel.id]
}

output "queries" {
  description = "The alerts' PromQL, by alert."
  value       = { for alert, policy in google_monitoring_alert_policy.this : alert => policy.conditions[0].condition_prometheus_query_language[0].query }
}

output "dashboard" {
  description = "The dashboard as Cloud Monitoring takes it, JSON."
  value       = google_monitoring_dashboard.this.dashboard_json
}
