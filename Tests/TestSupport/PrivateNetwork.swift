// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A network of one test's own: network namespaces without names, each joined to a common one by a cable that can be pulled.
///
/// Nothing of the machine's own network is seen or changed. All of it is gone when the processes that hold the namespaces
/// are, which end with the last reference. Needs root.
public final class PrivateNetwork: Sendable {
    /// A machine in the network.
    public final class Station: Sendable {
        /// Its address.
        public let address: String
        private let holder: ChildProcess
        /// Its end of the cable in the common namespace; empty for that one itself.
        fileprivate let cable: String

        fileprivate init(address: String, cable: String) throws {
            self.address = address
            self.cable = cable
            holder = try ChildProcess(try Tool.find("unshare"), ["-n", try Tool.find("sleep"), "infinity"])
        }

        fileprivate var pid: String { String(holder.pid) }

        /// A program and its arguments, as they are started on this machine.
        public func inside(_ command: [String]) -> [String] {
            ["/usr/bin/env", "nsenter", "-t", pid, "-n", "--"] + command
        }

        fileprivate func run(_ command: [String]) throws {
            let all = inside(command)
            try Tool.run(all[0], Array(all.dropFirst())).orThrow(command.joined(separator: " "))
        }

        /// Waits until the holder is in a namespace of its own: until then its number means the machine's.
        fileprivate func waitUntilItIsApart(from other: String) throws {
            let deadline = Deadline(after: .seconds(60))
            while try Self.namespace(pid) == other {
                guard !deadline.hasPassed, holder.isRunning else {
                    throw TestSupportError("no network namespace can be made")
                }
                _ = holder.wait(for: .milliseconds(5))
            }
        }

        fileprivate static func namespace(_ pid: String) throws -> String {
            try Tool.run("readlink", ["/proc/\(pid)/ns/net"]).orThrow("readlink").stdoutText
        }
    }

    /// Where the machines' cables meet; it has an address in each one's network.
    public let centre: Station
    /// What every address begins with.
    private static let prefix = "10.77"

    public init() throws {
        centre = try Station(address: "\(Self.prefix).0.1", cable: "")
        try centre.waitUntilItIsApart(from: Station.namespace("self"))
        try centre.run(["ip", "link", "set", "lo", "up"])
        try centre.run(["ip", "address", "add", "\(centre.address)/32", "dev", "lo"])
    }

    /// Adds a machine.
    ///
    /// - Parameter number: 1 to 254, another one for each.
    public func station(_ number: Int) throws -> Station {
        let network = "\(Self.prefix).\(number)"
        let station = try Station(address: "\(network).2", cable: "cable\(number)")
        try station.waitUntilItIsApart(from: Station.namespace("self"))
        try centre.run([
            "ip", "link", "add", station.cable, "type", "veth", "peer", "name", "eth0", "netns", station.pid,
        ])
        try centre.run(["ip", "address", "add", "\(network).1/24", "dev", station.cable])
        try centre.run(["ip", "link", "set", station.cable, "up"])
        try station.run(["ip", "link", "set", "lo", "up"])
        try station.run(["ip", "address", "add", "\(station.address)/24", "dev", "eth0"])
        try station.run(["ip", "link", "set", "eth0", "up"])
        try station.run(["ip", "route", "add", "default", "via", "\(network).1"])
        return station
    }

    /// Pulls a machine's cable out, or puts it in again.
    public func plug(_ station: Station, _ isIn: Bool) throws {
        try centre.run(["ip", "link", "set", station.cable, isIn ? "up" : "down"])
    }
}

extension Running {
    /// True when network namespaces can be made and joined here.
    public static let withNetworkNamespaces: Bool = {
        guard asRoot, (try? Tool.find("ip")) != nil, (try? Tool.find("nsenter")) != nil else { return false }
        return (try? Tool.run("unshare", ["-n", "ip", "link", "add", "one", "type", "veth"]))?.succeeded
            == true
    }()
}
