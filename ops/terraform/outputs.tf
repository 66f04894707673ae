output "client_id" {
  description = "For genesys.client_id. The secret is shown in Admin > Integrations > OAuth, and stays out of the state."
  value       = genesyscloud_oauth_client.leaver.id
}
