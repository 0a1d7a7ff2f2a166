//! A browser as far as a server sees it: one connection, a cookie, requests for pages and forms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer: its head and its body.
pub struct Answer {
    /// Status and headers.
    pub head: String,
    /// What follows them.
    pub body: String,
}

/// A connection that is used for one request after another.
pub struct Browser {
    address: String,
    /// The connection.
    pub stream: BufReader<TcpStream>,
    /// The session's cookie; empty before the first answer.
    pub cookie: String,
}

impl Browser {
    /// Connects to a server.
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self {
            address: address.to_owned(),
            stream: BufReader::new(stream),
            cookie: String::new(),
        }
    }

    /// Sends a request and reads the head of its answer.
    pub fn ask(&mut self, method: &str, path: &str, more: &str, body: &str) -> String {
        let (address, cookie) = (&self.address, &self.cookie);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(
                self.stream.read_line(&mut head).unwrap() > 0,
                "the connection ended: {head}"
            );
        }
        if let Some((_, cookie)) = head.split_once("set-cookie: ") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        head
    }

    /// The answer whose head was read, with its body.
    pub fn whole(&mut self, head: String) -> Answer {
        let length = head
            .split_once("content-length: ")
            .map_or("0", |(_, rest)| rest.split("\r\n").next().unwrap());
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        Answer {
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    /// Asks for a page.
    pub fn get(&mut self, path: &str) -> Answer {
        let head = self.ask("GET", path, "", "");
        self.whole(head)
    }

    /// Sends a form as a page of the server does.
    pub fn post(&mut self, path: &str, form: &str) -> Answer {
        let head = self.ask(
            "POST",
            path,
            "Content-Type: application/x-www-form-urlencoded\r\n",
            form,
        );
        self.whole(head)
    }

    /// The token of the form on a page.
    pub fn form_token(&mut self, path: &str) -> String {
        let page = self.get(path).body;
        let (_, after) = page
            .split_once("name=\"form_token\" value=\"")
            .expect("the page has a form");
        after.split('"').next().unwrap().to_owned()
    }
}
