"""A host to log in to, for the tests: an SSH server on loopback that runs what it is told.

ssh_server.py HOST_KEY AUTHORIZED_KEYS HOME PORT_FILE: writes its port to PORT_FILE once it listens, and runs commands with
HOME as their home until it is killed.
"""
import asyncio
import os
import sys

import asyncssh


async def serve(host_key, authorized_keys, home, port_file):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ETUDE_", "XDG_"))}
    environment["HOME"] = home

    async def run(process):
        child = await asyncio.create_subprocess_shell(
            process.command, env=environment, cwd=home, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())

    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[host_key], authorized_client_keys=authorized_keys,
                                   process_factory=run, encoding=None)
    with open(port_file + ".new", "w") as file:
        file.write(f"{server.sockets[0].getsockname()[1]}\n")
    os.rename(port_file + ".new", port_file)
    await server.wait_closed()


asyncio.run(serve(*sys.argv[1:]))
