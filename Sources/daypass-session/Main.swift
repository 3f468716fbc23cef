// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

@main
struct DaypassSession {
    static func main() { exit(64) }
}
