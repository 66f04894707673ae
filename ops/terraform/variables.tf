variable "further_permissions" {
  description = "Permissions beyond the least, for steps and reports that are off by default."
  type = list(object({
    domain      = string
    entity_name = string
    action_set  = set(string)
  }))
  default = []
}
