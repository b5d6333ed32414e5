// A test that starts a process duplicates every descriptor for a moment, and with it the locks of
// the catalogs that other tests are closing.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
