"""The rows for what outlives every orchestrator: network, edge and vault."""

from __future__ import annotations

from collections.abc import Mapping

from components.aws.actions.row import EC2_TAGS, TAGS, Actions, row

BUCKET = """GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLogging GetBucketObjectLockConfiguration
GetBucketPolicy GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration
GetLifecycleConfiguration GetReplicationConfiguration ListBucket ListTagsForResource"""
"""The provider reads all that a bucket can have, whether the program says it or not."""

ROWS: Mapping[str, Actions] = {
    # The network
    "aws:ec2/vpc:Vpc": row(
        "ec2/vpc_.go",
        create="CreateVpc ModifyVpcAttribute CreateTags",
        read="DescribeVpcs DescribeVpcAttribute DescribeNetworkAcls DescribeRouteTables DescribeSecurityGroups",
        update=f"ModifyVpcAttribute {EC2_TAGS}",
        delete="DeleteVpc",
    ),
    "aws:ec2/subnet:Subnet": row(
        "ec2/vpc_subnet.go",
        create="CreateSubnet ModifySubnetAttribute CreateTags",
        read="DescribeSubnets",
        update=f"ModifySubnetAttribute {EC2_TAGS}",
        delete="DeleteSubnet DescribeNetworkInterfaces",
    ),
    "aws:ec2/internetGateway:InternetGateway": row(
        "ec2/vpc_internet_gateway.go",
        create="CreateInternetGateway AttachInternetGateway CreateTags",
        read="DescribeInternetGateways",
        update=EC2_TAGS,
        delete="DetachInternetGateway DeleteInternetGateway",
    ),
    "aws:ec2/routeTable:RouteTable": row(
        "ec2/vpc_route_table.go",
        create="CreateRouteTable CreateTags",
        read="DescribeRouteTables",
        update=EC2_TAGS,
        delete="DeleteRouteTable DisassociateRouteTable",
    ),
    "aws:ec2/route:Route": row(
        "ec2/vpc_route.go",
        create="CreateRoute",
        read="DescribeRouteTables",
        update="ReplaceRoute",
        delete="DeleteRoute",
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": row(
        "ec2/vpc_route_table_association.go",
        create="AssociateRouteTable",
        read="DescribeRouteTables",
        update="ReplaceRouteTableAssociation",
        delete="DisassociateRouteTable",
    ),
    "aws:ec2/eip:Eip": row(
        "ec2/ec2_eip.go",
        create="AllocateAddress AssociateAddress CreateTags",
        read="DescribeAddresses DescribeAddressesAttribute",
        update=f"AssociateAddress DisassociateAddress {EC2_TAGS}",
        delete="DisassociateAddress ReleaseAddress",
    ),
    "aws:ec2/natGateway:NatGateway": row(
        "ec2/vpc_nat_gateway.go",
        create="CreateNatGateway CreateTags",
        read="DescribeNatGateways",
        update=EC2_TAGS,
        delete="DeleteNatGateway",
    ),
    "aws:ec2/flowLog:FlowLog": row(
        "ec2/vpc_flow_log.go",
        create="CreateFlowLogs CreateTags",
        read="DescribeFlowLogs",
        update=EC2_TAGS,
        delete="DeleteFlowLogs",
        passed_to="vpc-flow-logs",
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": row(
        "ec2/vpc_endpoint.go",
        create="CreateVpcEndpoint CreateTags",
        read="DescribeVpcEndpoints DescribePrefixLists",
        update=f"ModifyVpcEndpoint {EC2_TAGS}",
        delete="DeleteVpcEndpoints",
    ),
    "aws:ec2/securityGroup:SecurityGroup": row(
        "ec2/vpc_security_group.go",
        create="CreateSecurityGroup RevokeSecurityGroupEgress CreateTags",
        read="DescribeSecurityGroups",
        update=EC2_TAGS,
        delete="DeleteSecurityGroup DescribeNetworkInterfaces",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": row(
        "ec2/vpc_default_security_group.go",
        create="RevokeSecurityGroupIngress RevokeSecurityGroupEgress CreateTags",
        read="DescribeSecurityGroups",
        update=EC2_TAGS,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": row(
        "ec2/vpc_security_group_ingress_rule.go",
        create="AuthorizeSecurityGroupIngress CreateTags",
        read="DescribeSecurityGroupRules",
        update=f"ModifySecurityGroupRules {EC2_TAGS}",
        delete="RevokeSecurityGroupIngress",
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": row(
        "ec2/vpc_security_group_egress_rule.go",
        create="AuthorizeSecurityGroupEgress CreateTags",
        read="DescribeSecurityGroupRules",
        update=f"ModifySecurityGroupRules {EC2_TAGS}",
        delete="RevokeSecurityGroupEgress",
    ),
    "aws:ec2/networkInterface:NetworkInterface": row(
        "ec2/vpc_network_interface.go",
        create="CreateNetworkInterface CreateTags",
        read="DescribeNetworkInterfaces",
        update=f"ModifyNetworkInterfaceAttribute {EC2_TAGS}",
        delete="DetachNetworkInterface DeleteNetworkInterface",
    ),
    # The edge
    "aws:lb/loadBalancer:LoadBalancer": row(
        "elbv2/load_balancer.go",
        create="CreateLoadBalancer ModifyLoadBalancerAttributes AddTags",
        read="DescribeLoadBalancers DescribeLoadBalancerAttributes DescribeCapacityReservation DescribeTags",
        update="ModifyLoadBalancerAttributes SetSecurityGroups SetSubnets AddTags RemoveTags",
        delete="DeleteLoadBalancer ec2:DescribeNetworkInterfaces",
        linked="elasticloadbalancing",
    ),
    "aws:lb/listener:Listener": row(
        "elbv2/listener.go",
        create="CreateListener ModifyListenerAttributes AddTags",
        read="DescribeListeners DescribeListenerAttributes DescribeTags",
        update="ModifyListener ModifyListenerAttributes AddTags RemoveTags",
        delete="DeleteListener",
    ),
    # IAM asks for the load balancer's own action as well (AWS WAF API, AssociateWebACL and DisassociateWebACL).
    "aws:wafv2/webAclAssociation:WebAclAssociation": row(
        "wafv2/web_acl_association.go",
        create="AssociateWebACL elasticloadbalancing:SetWebACL",
        read="GetWebACLForResource",
        delete="DisassociateWebACL elasticloadbalancing:SetWebACL",
    ),
    "aws:lb/listenerRule:ListenerRule": row(
        "elbv2/listener_rule.go",
        create="CreateRule AddTags",
        read="DescribeRules DescribeTags",
        update="ModifyRule SetRulePriorities AddTags RemoveTags",
        delete="DeleteRule",
    ),
    "aws:lb/targetGroup:TargetGroup": row(
        "elbv2/target_group.go",
        create="CreateTargetGroup ModifyTargetGroupAttributes AddTags",
        read="DescribeTargetGroups DescribeTargetGroupAttributes DescribeTags",
        update="ModifyTargetGroup ModifyTargetGroupAttributes AddTags RemoveTags",
        delete="DeleteTargetGroup",
    ),
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": row(
        "elbv2/target_group_attachment.go",
        create="RegisterTargets",
        read="DescribeTargetHealth",
        delete="DeregisterTargets",
    ),
    "aws:acm/certificate:Certificate": row(
        "acm/certificate.go",
        create="RequestCertificate AddTagsToCertificate",
        read="DescribeCertificate ListTagsForCertificate",
        update="AddTagsToCertificate RemoveTagsFromCertificate",
        delete="DeleteCertificate",
    ),
    "aws:acm/certificateValidation:CertificateValidation": row(
        "acm/certificate_validation.go", read="DescribeCertificate"
    ),
    "aws:route53/record:Record": row(
        "route53/record.go",
        create="ChangeResourceRecordSets GetChange",
        read="GetHostedZone ListResourceRecordSets",
        update="ChangeResourceRecordSets GetChange",
        delete="ChangeResourceRecordSets GetChange",
    ),
    "aws:s3/bucket:Bucket": row(
        "s3/bucket.go",
        create="CreateBucket PutBucketTagging TagResource",
        read=BUCKET,
        update="PutBucketTagging TagResource UntagResource",
        # What is in it goes first, where it may (`protect` false).
        delete="DeleteBucket ListBucketVersions DeleteObject DeleteObjectVersion",
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": row(
        "s3/bucket_public_access_block.go",
        create="PutBucketPublicAccessBlock",
        read="GetBucketPublicAccessBlock",
        update="PutBucketPublicAccessBlock",
        delete="PutBucketPublicAccessBlock",
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": row(
        "s3/bucket_lifecycle_configuration.go",
        create="PutLifecycleConfiguration",
        read="GetLifecycleConfiguration",
        update="PutLifecycleConfiguration",
        delete="PutLifecycleConfiguration",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": row(
        "s3/bucket_policy.go",
        create="PutBucketPolicy",
        read="GetBucketPolicy",
        update="PutBucketPolicy",
        delete="DeleteBucketPolicy",
    ),
    # The vault
    "aws:cloudwatch/logGroup:LogGroup": row(
        "logs/group.go",
        create="CreateLogGroup PutRetentionPolicy TagResource",
        read="DescribeLogGroups ListTagsForResource",
        update=f"PutRetentionPolicy {TAGS}",
        delete="DeleteLogGroup",
    ),
    "aws:secretsmanager/secret:Secret": row(
        "secretsmanager/secret.go",
        create="CreateSecret TagResource",
        read="DescribeSecret GetResourcePolicy",
        update=f"UpdateSecret {TAGS}",
        delete="DeleteSecret",
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": row(
        "secretsmanager/secret_version.go",
        create="PutSecretValue",
        read="DescribeSecret GetSecretValue",
        update="UpdateSecretVersionStage",
        delete="UpdateSecretVersionStage",
    ),
    "aws:secretsmanager/secretPolicy:SecretPolicy": row(
        "secretsmanager/secret_policy.go",
        create="PutResourcePolicy",
        read="GetResourcePolicy",
        update="PutResourcePolicy",
        delete="DeleteResourcePolicy",
    ),
    "aws:ssm/parameter:Parameter": row(
        "ssm/parameter.go",
        create="PutParameter AddTagsToResource",
        read="GetParameter DescribeParameters ListTagsForResource",
        update="PutParameter AddTagsToResource RemoveTagsFromResource",
        delete="DeleteParameter",
    ),
}
