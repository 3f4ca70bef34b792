locals {
  ours = "cluster=\"${var.cluster}\""

  # Queries by what they show. Metrics are the gateways' own, serving/telemetry/metrics.py. Those of an engine come from
  # every gateway of its cell alike, so they are never summed.
  first_token = {
    for share in ["0.5", "0.95", "0.99"] : share =>
    "histogram_quantile(${share}, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{${local.ours}}[5m])))"
  }
  between_tokens = {
    for share in ["0.5", "0.95", "0.99"] : share =>
    "histogram_quantile(${share}, sum by (le) (rate(vllm:inter_token_latency_seconds_bucket{${local.ours}}[5m])))"
  }
  errors   = "sum(rate(vllm:request_success_total{${local.ours}, finished_reason=\"error\"}[5m])) / sum(rate(vllm:request_success_total{${local.ours}}[5m]))"
  waiting  = "max by (cell) (vllm:num_requests_waiting{${local.ours}})"
  running  = "max by (cell) (vllm:num_requests_running{${local.ours}})"
  kv_cache = "max by (cell) (vllm:kv_cache_usage_perc{${local.ours}})"
  ended    = "sum by (finished_reason) (rate(vllm:request_success_total{${local.ours}}[5m]))"
  read     = "sum(rate(vllm:prompt_tokens_total{${local.ours}}[5m]))"
  written  = "sum(rate(vllm:generation_tokens_total{${local.ours}}[5m]))"
  cached   = "min by (cell) (rate(vllm:prefix_cache_hits_total{${local.ours}}[5m])) / min by (cell) (rate(vllm:prefix_cache_queries_total{${local.ours}}[5m]))"
  put_back = "min by (cell) (rate(vllm:num_preemptions_total{${local.ours}}[5m]))"

  alerts = {
    first_token = {
      title    = "first tokens are late"
      query    = "${local.first_token["0.95"]} > ${var.first_token_seconds}"
      duration = "600s"
      severity = "WARNING"
      advice   = "The engines cannot keep up, or prompts got longer. Look at requests waiting and KV pages first; another cell or a larger slice helps, `tradewind plan` says which."
    }
    errors = {
      title    = "replies end in errors"
      query    = "${local.errors} > ${var.error_share}"
      duration = "300s"
      severity = "CRITICAL"
      advice   = "An engine died or restarts again and again: kubectl logs of its pods say why in their last line. Gateways answer 503 while none is there."
    }
    waiting = {
      title    = "requests wait"
      query    = "${local.waiting} > ${var.waiting_requests}"
      duration = "300s"
      severity = "WARNING"
      advice   = "More requests come than the engine of a cell has rows for. Add a cell, or raise --max-rows where KV pages are free."
    }
    kv_cache = {
      title    = "KV pages run out"
      query    = "${local.kv_cache} > ${var.kv_cache_share}"
      duration = "600s"
      severity = "WARNING"
      advice   = "Sequences are put back and computed again. Contexts are longer than planned: lower --max-context, add a cell, or take a slice with more memory."
    }
  }

  charts = [
    { title = "Time to first token, s", queries = { for share, query in local.first_token : "p${tonumber(share) * 100}" => query } },
    { title = "Time between tokens, s", queries = { for share, query in local.between_tokens : "p${tonumber(share) * 100}" => query } },
    { title = "Tokens a second", queries = { read = local.read, written = local.written } },
    { title = "Requests at the engines", queries = { running = local.running, waiting = local.waiting } },
    { title = "KV pages in use, share", queries = { used = local.kv_cache } },
    { title = "Replies a second, by how they ended", queries = { ended = local.ended } },
    { title = "Prompt tokens found in the prefix cache, share", queries = { found = local.cached } },
    { title = "Sequences put back for want of pages, a second", queries = { "put back" = local.put_back } },
  ]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.emails

  project      = var.project_id
  display_name = "${var.name}: ${each.key}"
  type         = "email"
  user_labels  = var.labels
  force_delete = true

  labels = {
    email_address = each.key
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  user_labels           = var.labels
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "30s"

      # The metrics are there only once the first gateway runs.
      disable_metric_validation = true
    }
  }

  documentation {
    content   = each.value.advice
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "3600s"
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id

  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 12
      tiles = [
        for place, chart in local.charts : {
          xPos   = (place % 2) * 6
          yPos   = floor(place / 2) * 4
          width  = 6
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [
                for legend, query in chart.queries : {
                  plotType        = "LINE"
                  legendTemplate  = length(chart.queries) > 1 ? legend : null
                  timeSeriesQuery = { prometheusQuery = query }
                }
              ]
            }
          }
        }
      ]
    }
  })
}
