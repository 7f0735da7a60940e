package cgroups

// Stats is what `events` prints as the data of an event of type "stats". Names and shapes are
// runc's (go-runc's Stats reads them); burst, events, rdma and misc are added.
type Stats struct {
	CPU               CPUStats                `json:"cpu"`
	CPUSet            CPUSetStats             `json:"cpuset"`
	Memory            MemoryStats             `json:"memory"`
	Pids              PidsStats               `json:"pids"`
	Blkio             BlkioStats              `json:"blkio"`
	Hugetlb           map[string]HugetlbStats `json:"hugetlb"`
	IntelRdt          any                     `json:"intel_rdt"`          // for the caller to fill in; {} else
	NetworkInterfaces []struct{}              `json:"network_interfaces"` // always empty: engines made the interfaces
	Rdma              *RdmaStats              `json:"rdma,omitempty"`
	Misc              map[string]MiscStats    `json:"misc,omitempty"`
}

// CPUStats counts CPU time in nanoseconds.
type CPUStats struct {
	Usage struct {
		Total        uint64   `json:"total,omitempty"`
		Percpu       []uint64 `json:"percpu,omitempty"`
		PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
		PercpuUser   []uint64 `json:"percpu_user,omitempty"`
		Kernel       uint64   `json:"kernel"`
		User         uint64   `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling"`
	Burst struct {
		Periods uint64 `json:"periods,omitempty"`
		Time    uint64 `json:"time,omitempty"`
	} `json:"burst,omitzero"`
	PSI *PSIStats `json:"psi,omitempty"`
}

// PSIStats is pressure stall information (Documentation/accounting/psi.rst): of the time in which
// some or all tasks waited.
type PSIStats struct {
	Some PSIData `json:"some,omitzero"`
	Full PSIData `json:"full,omitzero"`
}

// PSIData has percentages over the last 10, 60 and 300 seconds, and microseconds in total.
type PSIData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// CPUSetStats are the files of a v1 cpuset.
type CPUSetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// MemoryEntry is a counter of bytes with its limit.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// MemoryStats counts bytes. Events are how often the cgroup met one of its limits: the fields of
// memory.events (v2) or memory.oom_control (v1) that aren't 0. (Scripts look for the word oom to
// see one.)
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	Events    map[string]uint64 `json:"events,omitempty"`
	PSI       *PSIStats         `json:"psi,omitempty"`
}

// PidsStats counts processes and threads; a limit of 0 is none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioEntry is a counter of a block device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// BlkioStats are the counters of block I/O, in v1's names.
type BlkioStats struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	IoQueuedRecursive       []BlkioEntry `json:"ioQueueRecursive,omitempty"`
	IoServiceTimeRecursive  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`
	IoWaitTimeRecursive     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`
	IoMergedRecursive       []BlkioEntry `json:"ioMergedRecursive,omitempty"`
	IoTimeRecursive         []BlkioEntry `json:"ioTimeRecursive,omitempty"`
	SectorsRecursive        []BlkioEntry `json:"sectorsRecursive,omitempty"`
	PSI                     *PSIStats    `json:"psi,omitempty"`
}

// HugetlbStats counts bytes of one size of huge pages.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// RdmaStats are the objects of RDMA devices in use and their limits.
type RdmaStats struct {
	Current []RdmaEntry `json:"current,omitempty"`
	Limit   []RdmaEntry `json:"limit,omitempty"`
}

// RdmaEntry counts the objects of an RDMA device; a limit of 4294967295 is none.
type RdmaEntry struct {
	Device     string `json:"device,omitempty"`
	HcaHandles uint32 `json:"hca_handles,omitempty"`
	HcaObjects uint32 `json:"hca_objects,omitempty"`
}

// MiscStats is a scalar resource of the misc controller, such as SEV address space ids.
type MiscStats struct {
	Usage  uint64 `json:"usage"`
	Events uint64 `json:"events"`
}

// meter reads what the kernel has counted of a container.
type meter struct{ *location }

// Stats reads the counters of the container's cgroups. tests/oracle holds the result against that
// of opencontainers/cgroups, which takes twice the time.
func (m *meter) Stats() (*Stats, error) {
	s := NoStats()
	if m.record.Mode == V2 {
		return s, m.stats2(s)
	}
	return s, m.stats1(s)
}

// NoStats are those of a container without a cgroup of its own: nobody counts for it.
func NoStats() *Stats {
	return &Stats{IntelRdt: struct{}{}, Hugetlb: map[string]HugetlbStats{}}
}
