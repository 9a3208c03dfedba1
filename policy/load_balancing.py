"""Load balancer, listeners, target groups, certificates."""

import re

from policy.control import PRODUCTION, Control, Resource

BALANCER = ("aws:lb/loadBalancer:LoadBalancer",)
LISTENER = ("aws:lb/listener:Listener",)
GROUP = ("aws:lb/targetGroup:TargetGroup",)
CERTIFICATE = ("aws:acm/certificate:Certificate",)

ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
RECOMMENDED = re.compile(r"ELBSecurityPolicy-TLS13-1-(2|2-Res|3)(-FIPS)?(-PQ)?-\d{4}-\d{2}")
"""AWS's policies with TLS 1.2 of forward secrecy, and 1.3."""
INSIDE = "requests go from the load balancer to replicas in plain, inside the VPC, from one security group to another"

ROWS = (
    Control(
        "ELB.1",
        LISTENER,
        "Plain HTTP only redirects to HTTPS",
        lambda it, _: it.get("protocol") != "HTTP" or set(it.every("defaultActions.redirect.protocol")) == {"HTTPS"},
        {"protocol": "HTTP", "defaultActions": [{"type": "fixed-response"}]},
        PRODUCTION,
        key="domain",
        waived_by="plain-http",
    ),
    Control(
        "ELB.4",
        BALANCER,
        "Invalid header fields are dropped",
        lambda it, _: it.on("dropInvalidHeaderFields"),
        {"dropInvalidHeaderFields": False},
    ),
    Control(
        "ELB.5",
        BALANCER,
        "Requests are logged",
        lambda it, _: it.on("accessLogs.enabled"),
        {"accessLogs": {"bucket": "logs", "enabled": False}},
        PRODUCTION,
        key="access-logs",
    ),
    Control(
        "ELB.6",
        BALANCER,
        "It cannot be deleted by accident",
        lambda it, _: it.on("enableDeletionProtection"),
        {"enableDeletionProtection": False},
        PRODUCTION,
        key="protect",
    ),
    Control(
        "ELB.12",
        BALANCER,
        "Ambiguous requests are turned away",
        lambda it, _: it.get("desyncMitigationMode", "defensive") in ("defensive", "strictest"),
        {"desyncMitigationMode": "monitor"},
    ),
    Control(
        "ELB.13",
        BALANCER,
        "It stands in at least two zones",
        lambda it, _: it.count("subnets") >= 2,
        {"subnets": ["subnet-1"]},
    ),
    Control(
        "ELB.16",
        BALANCER,
        "AWS WAF looks at requests",
        lambda it, graph: bool(graph.users(it, ASSOCIATION)),
        lambda it, graph: [*graph, Resource(f"{it.urn}-waf", ASSOCIATION, {}, frozenset({it.urn}))],
        key="waf",
        exception="a web ACL costs by the month and by the request, and its rules are the company's own",
        wired=True,
    ),
    Control(
        "ELB.17",
        LISTENER,
        "HTTPS is of a recommended policy: TLS 1.2 with forward secrecy, or 1.3",
        lambda it, _: it.get("protocol") != "HTTPS" or bool(RECOMMENDED.fullmatch(it.get("sslPolicy", ""))),
        {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-2016-08"},
        key="tls-policy",
    ),
    Control(
        "ELB.18",
        LISTENER,
        "No listener takes plain HTTP",
        lambda it, _: it.get("protocol") in ("HTTPS", "TLS"),
        {"protocol": "HTTPS"},
        exception="port 80 is there to redirect to HTTPS, which ELB.1 looks at",
    ),
    Control(
        "ELB.21",
        GROUP,
        "Health checks are encrypted",
        lambda it, _: it.get("healthCheck.protocol") == "HTTPS",
        {"healthCheck": {"protocol": "HTTPS"}},
        exception=INSIDE,
    ),
    Control(
        "ELB.22",
        GROUP,
        "Requests to replicas are encrypted",
        lambda it, _: it.get("protocol") == "HTTPS",
        {"protocol": "HTTPS"},
        exception=INSIDE,
    ),
    Control(
        "ACM.1",
        CERTIFICATE,
        "Certificates renew themselves",
        lambda it, _: it.get("validationMethod") == "DNS",
        {"validationMethod": "EMAIL"},
    ),
    Control(
        "ACM.2",
        CERTIFICATE,
        "RSA keys have at least 2,048 bits",
        lambda it, _: it.get("keyAlgorithm") != "RSA_1024",
        {"keyAlgorithm": "RSA_1024"},
    ),
)
