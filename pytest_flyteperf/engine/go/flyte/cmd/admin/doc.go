// Program flyteperf-admin stands in for FlyteAdmin and DataCatalog: one process, one gRPC port, one file of state.
//
//	flyteperf-admin --config FILE
//
// The port serves AdminService, SignalService, DataProxyService, DataCatalog, AuthMetadataService (there is nothing to
// authenticate with), gRPC health and reflection; another one serves /metrics, where grpc_server_handling_seconds holds the
// latency of each call. FILE is a Flyte configuration with the sections standin, storage, logger, otel, task_resources,
// namespace_mapping and, of flyteadmin, the keys that package settings lists. Anything else is refused by name.
//
// What it does as FlyteAdmin v1.16.8 does: registration with its compiler, digests and conflicts; launching, with its merges,
// blobs, order of steps and FlyteWorkflow object; the rules by which events are kept; lists, filters and pages; recovery,
// relaunching, aborting; caching with reservations; signals; signed addresses. An event is on disk before it is answered.
//
// What it does not: schedules, notifications, matchable attributes, more than one cluster, authentication, description
// entities, HTTP, GetExecutionMetrics. These calls are Unimplemented. It never answers UNKNOWN, which FlytePropeller would
// retry for long; where FlyteAdmin would, it says NOT_FOUND or INTERNAL.
package main
