# The least that Leaver needs in Genesys Cloud as leaver.example.toml has it: a role with exactly the permissions that
# `leaver check` asks for, and an OAuth client that has this role in all divisions. Terraform's own client has to have the
# role too, or it may not grant it: apply once for the role alone (`-target genesyscloud_auth_role.leaver`), give that role to
# Terraform's client in Admin, Integrations, OAuth, and apply again.

resource "genesyscloud_auth_role" "leaver" {
  name        = "Leaver"
  description = "Takes people who have left the company out of Genesys Cloud"

  # Finding the person, deactivating the account.
  permission_policies {
    domain      = "directory"
    entity_name = "user"
    action_set  = ["view", "edit"]
  }

  # Queue memberships.
  permission_policies {
    domain      = "routing"
    entity_name = "queue"
    action_set  = ["view"]
  }

  # Queue memberships.
  permission_policies {
    domain      = "routing"
    entity_name = "queueMember"
    action_set  = ["manage"]
  }

  # Skills and languages.
  permission_policies {
    domain      = "routing"
    entity_name = "skill"
    action_set  = ["assign"]
  }

  # Utilization overrides.
  permission_policies {
    domain      = "routing"
    entity_name = "utilization"
    action_set  = ["manage"]
  }

  # Direct-routing backups; edit puts them back.
  permission_policies {
    domain      = "routing"
    entity_name = "directRoutingBackup"
    action_set  = ["view", "delete", "edit"]
  }

  # Work teams.
  permission_policies {
    domain      = "groups"
    entity_name = "team"
    action_set  = ["assign"]
  }

  # Stations; edit puts them back.
  permission_policies {
    domain      = "telephony"
    entity_name = "otherStationAssociation"
    action_set  = ["view", "edit"]
  }

  # Stations.
  permission_policies {
    domain      = "telephony"
    entity_name = "station"
    action_set  = ["disassociate"]
  }

  # Stations.
  permission_policies {
    domain      = "telephony"
    entity_name = "phone"
    action_set  = ["assign"]
  }

  # Call forwarding.
  permission_policies {
    domain      = "conversation"
    entity_name = "callForwarding"
    action_set  = ["view", "edit"]
  }

  # Roles; add puts them back.
  permission_policies {
    domain      = "authorization"
    entity_name = "grant"
    action_set  = ["view", "delete", "add"]
  }

  # Live tokens.
  permission_policies {
    domain      = "oauth"
    entity_name = "token"
    action_set  = ["delete"]
  }

  # The report about open callbacks.
  permission_policies {
    domain      = "analytics"
    entity_name = "conversationDetail"
    action_set  = ["view"]
  }

  # Who assigns what was taken away.
  permission_policies {
    domain      = "audits"
    entity_name = "audit"
    action_set  = ["view"]
  }

  # What steps and reports that are switched on besides need: `leaver check` names it.
  dynamic "permission_policies" {
    for_each = var.further_permissions
    content {
      domain      = permission_policies.value.domain
      entity_name = permission_policies.value.entity_name
      action_set  = permission_policies.value.action_set
    }
  }
}

resource "genesyscloud_oauth_client" "leaver" {
  name                          = "Leaver"
  description                   = "Leaver's workers"
  authorized_grant_type         = "CLIENT-CREDENTIALS"
  access_token_validity_seconds = 3600
  state                         = "active"

  # Who leaves may be in any division.
  roles {
    role_id     = genesyscloud_auth_role.leaver.id
    division_id = "*"
  }
}
