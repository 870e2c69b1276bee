"""Peak memory of a build, sampled from /proc.

Counted is what the build adds: anonymous memory of the process (and of the parallel workers
that a server backend started) plus dynamic shared memory. Mapped files and the server's
shared buffers are not counted: they exist with or without the build.
"""
import glob
import os
import threading

INTERVAL = 0.02                 # seconds between samples
DSM_MARKS = ("/dev/shm/PostgreSQL.", "/pg_dynshmem/")


class PeakMemory:
    """Samples a process from start() to stop(); stop() returns bytes, None when unreadable."""

    def __init__(self, pid):
        self.pid = pid
        self.first = measure(pid)
        self.peak = self.first
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def watch(self):
        while not self.done.wait(INTERVAL):
            now = measure(self.pid)
            if now is not None and self.peak is not None:
                self.peak = max(self.peak, now)

    def stop(self):
        self.done.set()
        self.thread.join()
        return None if self.peak is None else self.peak - self.first


def measure(pid):
    own = anonymous_bytes(pid)
    if own is None:
        return None
    shared = dynamic_shared_bytes(pid)
    return own + shared + sum(anonymous_bytes(w) or 0 for w in parallel_workers(pid))


def anonymous_bytes(pid):
    try:
        with open("/proc/%d/status" % pid) as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def dynamic_shared_bytes(pid):
    total = 0
    try:
        with open("/proc/%d/maps" % pid) as maps:
            for line in maps:
                if any(mark in line for mark in DSM_MARKS):
                    low, high = line.split(None, 1)[0].split("-")
                    total += int(high, 16) - int(low, 16)
    except OSError:
        pass
    return total


def parallel_workers(pid):
    """Server processes whose title says that they work for this backend."""
    mark = ("parallel worker for PID %d" % pid).encode()
    found = []
    for path in siblings(pid):
        try:
            with open("/proc/%s/cmdline" % path, "rb") as title:
                if mark in title.read():
                    found.append(int(path))
        except OSError:
            pass
    return found


def siblings(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            parent = stat.read().rsplit(")", 1)[1].split()[1]
        lists = glob.glob("/proc/%s/task/*/children" % parent)
        return [child for path in lists for child in read_words(path)]
    except OSError:
        return []


def read_words(path):
    with open(path) as f:
        return f.read().split()


def total_ram():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
