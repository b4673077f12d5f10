# appliance/vpc
