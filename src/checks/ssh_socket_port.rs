//! systemd listens for sshd on another port than sshd_config names.

use super::Check;
use super::sshd::started;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/ssh-socket-port",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/ssh-socket-port.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    let Some(socket) = ssh.socket.as_ref().filter(|socket| socket.differs) else {
        return;
    };
    let list = |ports: &[u16]| {
        let words: Vec<String> = ports.iter().map(u16::to_string).collect();
        words.join(", ")
    };
    let (listens, wanted) = (list(&socket.ports), list(&ssh.ports));
    let title = format!("ssh answers on port {listens}, not on {wanted} as configured");
    let finding = CHECK
        .finding(Severity::Degraded, &socket.unit, title)
        .with([
            Evidence::seen(socket.path.as_str(), format!("ListenStream {listens}")),
            Evidence::seen(ssh.config.as_str(), format!("Port {wanted}")),
        ])
        .because("with a socket, systemd listens, and Port is not looked at")
        .by_hand("chroot ROOT systemctl disable ssh.socket; systemctl enable ssh.service");
    out.push(finding);
}
