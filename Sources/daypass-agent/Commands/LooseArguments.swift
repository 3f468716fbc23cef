// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Arguments as P0's agent takes them, put as ours takes them: `--config` and `--verbose` before the command, and
/// `--dry-run=false`.
enum LooseArguments {
    static func rearranged(_ arguments: [String]) -> [String] {
        var leading: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if ["-v", "--verbose"].contains(first) || first.hasPrefix("--config=") {
                leading.append(first)
                rest = rest.dropFirst()
            } else if ["-c", "--config"].contains(first), rest.count > 1 {
                leading += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        // Without a command there is nothing to put them behind.
        guard let command = rest.first, !command.hasPrefix("-") else { return arguments }
        return [command] + leading
            + rest.dropFirst().map { argument in
                switch argument {
                case "--dry-run=true": "--dry-run"
                case "--dry-run=false": "--no-dry-run"
                default: argument
                }
            }
    }
}
