//! `twinpath controller`: what it shares with the sender, and what it tells a Server.

use super::control::controller::TESTED;
use super::sender::{
    LOSING, ON_TWO_HOSTS, Row, Seen, Sends, THREE, row, sending, the_interface_leads,
};
use super::{Answers, complete, each_row};

const LONG: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 1 --json --padding 100";

impl Seen {
    /// The modes of Set-Up-Response.
    fn chose(&self, mode: u8) -> bool {
        u32::from_be_bytes(self.told[0][..4].try_into().unwrap()) & (1 << mode) != 0
    }

    /// The first Request-TW-Session.
    fn request(&self) -> &[u8] {
        self.told.iter().find(|message| message[0] == 5).unwrap()
    }
}

fn rows() -> Vec<Row> {
    vec![
        row("--nat", THREE, "--nat", |seen| {
            // Sender and Receiver Address.
            seen.request()[16..48] == [0; 32]
        }),
        row("--reflect-octets", LONG, "--reflect-octets", |seen| {
            let request = seen.request();
            // Octets to be reflected, and the length of the padding that is.
            seen.chose(5) && request[88..90] != [0, 0] && request[90..92] != [0, 0]
        }),
        row("--symmetrical-size", LONG, "--symmetrical-size", |seen| {
            // 41 octets of a reply before the padding.
            seen.chose(6) && seen.all(|packet| packet.payload.len() == 141)
        }),
        row(
            "--dscp-monitoring",
            "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 0.3 --json --padding 100 --symmetrical-size",
            "--dscp-monitoring",
            |seen| seen.chose(8) && seen.all(|packet| packet.payload.len() == 142),
        ),
        row(
            "--timestamp-format",
            THREE,
            "--timestamp-format ptp",
            |seen| seen.chose(9),
        ),
        row("--reflector", LOSING, "--reflector stateless", |seen| {
            seen.session()["packets"]["lost_forward"].is_null()
        })
        .answered(Answers::Even),
    ]
}

#[test]
fn every_option_of_the_controller_acts() {
    let rows: Vec<Row> = sending().into_iter().chain(rows()).collect();
    let tested: Vec<String> = TESTED
        .iter()
        .map(|name| format!("--{}", name.replace('_', "-")))
        .collect();
    let names = rows.iter().map(|row| row.option);
    let names = names.chain(tested.iter().map(String::as_str));
    complete("controller", names.chain(ON_TWO_HOSTS));
    each_row(&rows, |row| row.judge(Sends::Controller));
}

#[test]
fn the_interface_leads_a_controller_s_segments_and_packets() {
    the_interface_leads("server :862", "controller 10.98.0.2");
}
