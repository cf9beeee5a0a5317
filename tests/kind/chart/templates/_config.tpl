{{/* What both programs read alike. */}}
{{- define "shared" -}}
{{- $s3 := .Values.configuration.storage.providerConfig.s3 -}}
logger:
  level: {{ .Values.configuration.logging.level }}
  show-source: true
  formatter: {type: json}
storage:
  type: stow
  container: {{ .Values.configuration.storage.metadataContainer }}
  stow:
    kind: s3
    config:
      auth_type: {{ $s3.authType }}
      access_key_id: {{ $s3.accessKey }}
      secret_key: {{ $s3.secretKey }}
      region: {{ $s3.region }}
      endpoint: {{ $s3.endpoint }}
      disable_ssl: {{ $s3.disableSSL | quote }}
      v2_signing: {{ $s3.v2Signing | quote }}
{{- end }}

{{- define "propeller" -}}
{{- include "shared" . }}
admin: {endpoint: "localhost:8089", insecure: true}
catalog-cache: {type: datacatalog, endpoint: "localhost:8089", insecure: true}
event: {type: admin}
propeller:
  create-flyteworkflow-crd: true
  kube-config: /etc/flyte/kubeconfig
  prof-port: 10254
  metadata-prefix: metadata/propeller
  rawoutput-prefix: s3://{{ .Values.configuration.storage.userDataContainer }}/data
tasks:
  task-plugins:
    enabled-plugins: [container, sidecar, k8s-array, connector-service, echo]
    default-for-task-types: {container: container, sidecar: sidecar, container_array: k8s-array}
{{- end }}

{{- define "admin" -}}
{{- include "shared" . }}
standin:
  listen: 0.0.0.0:8089
  metricsListen: 0.0.0.0:10255
  database: /var/run/flyte/standin.db
  kubeconfig: /etc/flyte/kubeconfig
{{- end }}

{{/* The sections of configuration.inline that a program knows, over its own. */}}
{{- define "merged" -}}
{{- $picked := dict -}}
{{- range .sections -}}
{{- if hasKey $.inline . }}{{ $_ := set $picked . (get $.inline .) }}{{ end -}}
{{- end -}}
{{- toYaml (mergeOverwrite (fromYaml .base) (deepCopy $picked)) -}}
{{- end }}
