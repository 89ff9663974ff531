package Smokeping::probes::Twinpath;

=head1 301 Moved Permanently

This is a SmokePing probe. C<smokeping -man Smokeping::probes::Twinpath> shows its documentation.

=cut

use strict;
use warnings;
use base qw(Smokeping::probes::basefork);
use Carp;
use JSON::PP;

# What is measured, and the key of a line of `twinpath --output jsonl` that has it.
my %KEYS = (
    'round-trip' => 'round_trip_ns',
    'forward'    => 'forward_ns',
    'backward'   => 'backward_ns',
);

sub pod_hash {
    return {
        name => <<'DOC',
Smokeping::probes::Twinpath - two-way measurement by TWAMP, TWAMP Light or STAMP
DOC
        description => <<'DOC',
Measures the delay to a reflector of TWAMP Light (RFC 5357), of STAMP (RFC 8762), or to a TWAMP server
with the program twinpath, whose timestamps are those of the kernel. A packet without a reply is a loss.

The time of the reflector itself is left out. One-way delays need two synchronized clocks.
DOC
        authors => <<'DOC',
The authors of twinpath
DOC
        see_also => <<'DOC',
L<twinpath-sender(1)>, L<twinpath-controller(1)>
DOC
    };
}

sub probevars {
    my $class = shift;
    return $class->_makevars($class->SUPER::probevars, {
        _mandatory => ['binary'],
        binary => {
            _doc => "Where the program is.",
            _example => '/usr/bin/twinpath',
            _sub => sub {
                my $path = shift;
                return "ERROR: binary: $path cannot be executed" unless -f $path && -x _;
                return undef;
            },
        },
    });
}

# One of these words.
sub _word {
    my ($name, @words) = @_;
    my $words = join '|', @words;
    return (
        _re => "(?:$words)",
        _re_error => "$name is one of: @words",
    );
}

sub targetvars {
    my $class = shift;
    return $class->_makevars($class->SUPER::targetvars, {
        protocol => {
            _doc => "twamp-light, stamp, or twamp: a session that is agreed on with a server.",
            _default => 'twamp-light',
            _word('protocol', qw(twamp-light stamp twamp)),
        },
        port => {
            _doc => "UDP port of the reflector, or with twamp the TCP port of the server. Default: 862.",
            _re => '\d+',
        },
        figure => {
            _doc => "round-trip, forward or backward: which delay is recorded.",
            _default => 'round-trip',
            _word('figure', sort keys %KEYS),
        },
        interval => {
            _doc => "Milliseconds from packet to packet.",
            _default => 100,
            _re => '\d+(?:\.\d+)?',
        },
        wait => {
            _doc => "Seconds after which a packet without a reply is lost.",
            _default => 2,
            _re => '\d+(?:\.\d+)?',
        },
        dscp => {
            _doc => "DSCP of the packets, by name or number.",
            _example => 'ef',
            _re => '[A-Za-z0-9]+',
        },
        options => {
            _doc => "Further options of twinpath, divided by blanks.",
            _example => '--padding 1372 --df',
        },
    });
}

sub ProbeDesc {
    return 'TWAMP and STAMP packets';
}

sub ProbeUnit {
    return 'Seconds';
}

# The command that measures a target: a list, which no shell reads.
sub command {
    my ($self, $target) = @_;
    my $vars = $target->{vars};
    my $far = $target->{addr};
    $far = "[$far]" if $far =~ /:/ && $far !~ /^\[/;
    my $is_agreed = $vars->{protocol} eq 'twamp';
    my $port = $vars->{port};
    $port = 862 unless defined $port && length $port;
    my @command = (
        $self->{properties}{binary},
        $is_agreed ? 'controller' : 'sender',
        "$far:$port",
        '--count', $self->pings($target),
        '--interval', $vars->{interval},
        '--timeout', $vars->{wait},
        '--output', 'jsonl',
        '--quiet',
    );
    push @command, '--stamp' if $vars->{protocol} eq 'stamp';
    push @command, '--dscp', $vars->{dscp} if defined $vars->{dscp} && length $vars->{dscp};
    push @command, split ' ', $vars->{options} if defined $vars->{options};
    return @command;
}

sub pingone {
    my ($self, $target) = @_;
    my @command = $self->command($target);
    $self->do_debug("@command");
    my $key = $KEYS{$target->{vars}{figure}};
    my @seconds;
    my $pid = open(my $lines, '-|', @command);
    unless ($pid) {
        $self->do_log("ERROR: $command[0] does not start: $!");
        return;
    }
    while (my $line = <$lines>) {
        my $packet = eval { decode_json($line) };
        # The last line is the report.
        next unless ref $packet eq 'HASH' && ($packet->{fate} // '') eq 'received';
        push @seconds, $packet->{$key} / 1e9 if defined $packet->{$key};
    }
    close $lines;
    # 3: all packets were lost.
    my $status = $? >> 8;
    $self->do_log("ERROR: $target->{addr}: exit status $status of @command") if $status && $status != 3;
    return sort { $a <=> $b } @seconds;
}

1;
