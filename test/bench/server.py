"""A PostgreSQL server to measure: a throw-away cluster of its own, or one that is running.

Everything goes through psql and pgbench, so that no database driver is needed.
"""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

import numpy as np

SCHEMA = "vecidx_bench"
COPY_CHUNK = 16 << 20           # bytes of COPY data formed at a time


class ServerError(Exception):
    """psql, pgbench or the server itself reported an error."""


def server_bin():
    """The folder of the server's programs: PG_CONFIG's, else that of the first pg_config."""
    pg_config = os.environ.get("PG_CONFIG", "pg_config")
    return subprocess.check_output([pg_config, "--bindir"], text=True).strip()


class Cluster:
    """A cluster on a private socket; gone when closed unless it was given a folder to stay in."""

    def __init__(self, folder, work_dir, settings):
        self.bin = server_bin()
        self.temporary = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="vecidx-bench-", dir=work_dir)
        self.user = "postgres" if os.geteuid() == 0 else None
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "socket")
        self.settings = settings
        self.dsn = "host=%s port=5432 user=bench dbname=postgres" % self.socket

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        for path in (self.data, self.socket):
            os.makedirs(path, mode=0o700, exist_ok=True)
            if self.user is not None:
                shutil.chown(path, self.user, self.user)
        if not os.path.exists(os.path.join(self.data, "PG_VERSION")):
            self.server_program("initdb", "-D", self.data, "-U", "bench", "-A", "trust",
                                "-E", "UTF8", "--no-locale", "--no-sync")
        options = ["-c", "listen_addresses=", "-c", "unix_socket_directories=" + self.socket]
        for name, value in self.settings.items():
            options += ["-c", "%s=%s" % (name, value)]
        quoted = " ".join("'%s'" % option for option in options)
        self.server_program("pg_ctl", "-D", self.data, "-w", "-t", "300", "-o", quoted,
                            "-l", os.path.join(self.data, "log"), "start")

    def stop(self, mode):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.server_program("pg_ctl", "-D", self.data, "-w", "-t", "600", "-m", mode, "stop")

    def restart(self):
        """Empties shared buffers; what they held is on disk or in the system's cache."""
        self.stop("fast")
        self.start()

    def close(self):
        self.stop("immediate" if self.temporary else "fast")
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def allow_processors(self, processors):
        """Where backends that start from now on may run."""
        with open(os.path.join(self.data, "postmaster.pid")) as f:
            os.sched_setaffinity(int(f.readline()), processors)

    def server_program(self, name, *arguments):
        """Runs initdb or pg_ctl, as a system user where the server must not run as root."""
        rights = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        done = subprocess.run([os.path.join(self.bin, name), *arguments], cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **rights)
        if done.returncode != 0:
            log = os.path.join(self.data, "log")
            tail = open(log).read()[-2000:] if os.path.exists(log) else ""
            raise ServerError("%s failed: %s%s" % (name, done.stdout, tail))


class Database:
    """One database of a server, reached by psql and pgbench."""

    def __init__(self, dsn, cluster=None, pinned=False):
        self.dsn = dsn
        self.cluster = cluster
        self.pinned = pinned
        self.bin = server_bin()

    def environment(self, settings):
        """Session settings travel in PGOPTIONS, for psql and pgbench alike."""
        given = {"search_path": SCHEMA + ",public", "client_min_messages": "warning", **settings}
        options = " ".join("-c %s=%s" % (k, str(v).replace(" ", "\\ ")) for k, v in given.items())
        return {**os.environ, "PGOPTIONS": options}

    def psql(self, script, settings=None, **how):
        """Runs SQL; returns psql's unaligned, bare output."""
        done = subprocess.run(self.psql_command(), input=script, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment(settings or {}), **how)
        if done.returncode != 0:
            raise ServerError(done.stderr.strip())
        return done.stdout

    def psql_command(self):
        return [os.path.join(self.bin, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn]

    def value(self, query, settings=None):
        return self.psql(query, settings).strip()

    def has_extension(self, name):
        """Whether the extension could be created (with what it requires) or was there already."""
        try:
            self.psql("CREATE EXTENSION IF NOT EXISTS %s SCHEMA public CASCADE" % name)
        except ServerError:
            return False
        return True

    def load(self, table, matrix, sql_type):
        """Creates table (id from 1, v) and fills it by binary COPY."""
        column = "vector(%d)" % matrix.shape[1] if sql_type == "vector" else sql_type
        self.psql("CREATE TABLE %s (id int PRIMARY KEY, v %s)" % (table, column))
        copy = self.psql_command() + ["-c", "COPY %s FROM STDIN (FORMAT binary)" % table]
        process = subprocess.Popen(copy, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment({}))
        try:
            with process.stdin as pipe:
                for chunk in copy_chunks(matrix, sql_type):
                    pipe.write(chunk)
        except BrokenPipeError:
            pass
        errors = process.stderr.read().decode()
        if process.wait() != 0:
            raise ServerError(errors.strip())
        self.psql("VACUUM ANALYZE %s" % table)

    def session(self, settings):
        return Session(self, settings)

    def pgbench(self, script, settings, clients, limit):
        """Queries per second of one statement, prepared once per client, and the µs of each.

        limit are pgbench's arguments that say when to end.  Latencies are in order for one client.
        Where processors are pinned, each client and its backend share as many as there are clients.
        """
        if not self.pinned:
            return self.run_pgbench(script, settings, clients, limit)
        everywhere = os.sched_getaffinity(0)
        some = set(sorted(everywhere)[:clients])
        try:
            self.cluster.allow_processors(some)
            os.sched_setaffinity(0, some)
            return self.run_pgbench(script, settings, clients, limit)
        finally:
            os.sched_setaffinity(0, everywhere)
            self.cluster.allow_processors(everywhere)

    def run_pgbench(self, script, settings, clients, limit):
        with tempfile.TemporaryDirectory(prefix="vecidx-bench-") as folder:
            path = os.path.join(folder, "script.sql")
            with open(path, "w") as f:
                f.write(script)
            command = [os.path.join(self.bin, "pgbench"), "-n", "-M", "prepared", "-f", path,
                       "-c", str(clients), "-j", str(clients), *limit, "--random-seed=1",
                       "--log", "--log-prefix", os.path.join(folder, "log"), self.dsn]
            done = subprocess.run(command, env=self.environment(settings), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            latencies = read_latencies(glob.glob(os.path.join(folder, "log.*")))
        for line in done.stdout.splitlines():
            if done.returncode == 0 and line.startswith("tps = "):
                return float(line.split()[2]), latencies
        raise ServerError("pgbench: " + done.stderr.strip())


class Session:
    """One psql session held open, to know its backend while a statement runs."""

    END = "--end of output--"

    def __init__(self, database, settings):
        self.process = subprocess.Popen(database.psql_command(), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=database.environment(settings))
        self.pid = int(self.run("SELECT pg_backend_pid();"))

    def run(self, sql):
        """Runs statements (each ended by its semicolon) and waits for their output."""
        try:
            self.process.stdin.write(sql + "\n\\echo " + self.END + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == self.END:
                return "".join(lines)
            lines.append(line)
        raise ServerError(self.process.stderr.read().strip())

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        self.process.wait()


def timed(session, sql):
    """Seconds that a statement took."""
    start = time.monotonic()
    session.run(sql)
    return time.monotonic() - start


def read_latencies(paths):
    """µs per transaction from pgbench's logs, one a thread: the third word of each line."""
    micros = []
    for path in paths:
        with open(path, "rb") as log:
            micros += [int(line.split(b" ", 3)[2]) for line in log]
    return np.array(micros, np.int64)


def copy_chunks(matrix, sql_type):
    """The bytes of a binary COPY of (id int, v real[] or vector), ids from 1."""
    kind = real_array_tuple if sql_type == "real[]" else vector_tuple
    layout, constants = kind(matrix.shape[1])
    step = max(1, COPY_CHUNK // layout.itemsize)
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for start in range(0, len(matrix), step):
        rows = matrix[start:start + step]
        out = np.zeros(len(rows), layout)
        for name, value in constants.items():
            out[name] = value
        out["id"] = np.arange(start + 1, start + 1 + len(rows))
        if sql_type == "real[]":
            out["x"]["x_len"] = 4
            out["x"]["value"] = rows
        else:
            out["x"] = rows
        yield out.data
    yield b"\xff\xff"


def real_array_tuple(dim):
    """A tuple with a one-dimensional float4 array: every element has its own length word."""
    element = np.dtype([("x_len", ">i4"), ("value", ">f4")])
    layout = np.dtype([("fields", ">i2"), ("id_len", ">i4"), ("id", ">i4"), ("v_len", ">i4"),
                       ("ndim", ">i4"), ("has_null", ">i4"), ("type", ">i4"),
                       ("dim", ">i4"), ("lower", ">i4"), ("x", element, (dim,))])
    return layout, {"fields": 2, "id_len": 4, "v_len": 20 + 8 * dim, "ndim": 1,
                    "type": 700, "dim": dim, "lower": 1}


def vector_tuple(dim):
    """A tuple with the vector type: dimension, an unused word, the numbers."""
    layout = np.dtype([("fields", ">i2"), ("id_len", ">i4"), ("id", ">i4"), ("v_len", ">i4"),
                       ("dim", ">i2"), ("unused", ">i2"), ("x", ">f4", (dim,))])
    return layout, {"fields": 2, "id_len": 4, "v_len": 4 + 4 * dim, "dim": dim}


def stop_on_signals():
    """Turns SIGTERM into an exception, so that a cluster is stopped and removed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
