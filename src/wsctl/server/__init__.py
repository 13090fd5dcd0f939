"""The mock feed: services publish, the hub stamps and fans out, connections carry it over Socket.IO."""
